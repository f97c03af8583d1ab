/* SPDX-License-Identifier: Apache-2.0 */
/*
 * neuralcodec._native.Quantizer: the "Quantizers" of neuralcodec.h. Its arguments are flat, C-contiguous buffers that the package has prepared
 * (neuralcodec/quantizers.py); their types and lengths are checked here again, because memory depends on them.
 */
#include "_native.h"

typedef struct {
    PyObject_HEAD
    nc_quantizer *handle;
    size_t dimension, index_count, codewords;
} quantizer_object;

static module_state *state_of(PyObject *object) { return PyType_GetModuleState(Py_TYPE(object)); }

/* ---- Buffers ------------------------------------------------------------------------------------------------------------------------- */

/* A view of values of the one-letter format; an empty one for None. The caller releases *view. */
static int read_values(PyObject *object, const char *name, char format, int flags, Py_buffer *view)
{
    *view = (Py_buffer){0};
    if (object == Py_None) return 0;
    if (PyObject_GetBuffer(object, view, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | flags) < 0) return -1;
    if (view->itemsize == (format == '?' ? 1 : format == 'd' ? 8 : 4) && view->format && view->format[0] == format && !view->format[1]) return 0;
    PyErr_Format(PyExc_TypeError, "%s must hold values of the format '%c', not '%s'", name, format, view->format ? view->format : "?");
    PyBuffer_Release(view);
    return -1;
}

static size_t length_of(const Py_buffer *view) { return view->itemsize ? (size_t)(view->len / view->itemsize) : 0; }

/* A buffer that may be None has room for `length` values. */
static int has_room(const Py_buffer *view, const char *name, size_t length)
{
    if (!view->obj || length_of(view) == length) return 1;
    PyErr_Format(PyExc_ValueError, "%s has room for %zu values, and there are %zu", name, length_of(view), length);
    return 0;
}

/* A view of rows * columns floats. */
static int read_rows(PyObject *object, const char *name, size_t rows, size_t columns, Py_buffer *view)
{
    if (read_values(object, name, 'f', PyBUF_SIMPLE, view) < 0) return -1;
    size_t length = length_of(view);
    if (view->obj && (columns ? length % columns == 0 && length / columns == rows : length == 0)) return 0;
    PyErr_Format(PyExc_ValueError, "%s has %zu values, not %zu rows of %zu", name, length, rows, columns);
    PyBuffer_Release(view);
    return -1;
}

/* ---- Making one ---------------------------------------------------------------------------------------------------------------------- */

/* A Quantizer around an open handle, which it takes over. */
static PyObject *wrap(PyTypeObject *type, nc_status status, nc_quantizer *handle)
{
    module_state *state = PyType_GetModuleState(type);
    nc_quantizer_info info = {.struct_size = sizeof info};
    if (status == NC_OK && !PyErr_Occurred()) status = nc_quantizer_get_info(handle, &info);
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    quantizer_object *self = status == NC_OK && !PyErr_Occurred() ? (quantizer_object *)allocate(type, 0) : NULL;
    if (!self) {
        raise_status(state, status, NULL);
        nc_quantizer_close(&handle);
        return NULL;
    }
    self->handle = handle;
    self->dimension = info.dimension;
    self->index_count = info.index_count;
    self->codewords = info.codewords;
    return (PyObject *)self;
}

static PyObject *create(PyObject *type, PyObject *arguments)
{
    const char *name;
    PyObject *dimension_object;
    size_t dimension = 0;
    nc_quantizer_options options;
    nc_quantizer_options_init(&options);
    if (!PyArg_ParseTuple(arguments, "sOddd:create", &name, &dimension_object, &options.scale, &options.offset, &options.dead_zone) ||
        read_count(dimension_object, "dimension", 0, 64, &dimension) < 0)
        return NULL;
    nc_quantizer *handle = NULL;
    nc_status status = nc_quantizer_create(name, dimension, &options, &handle);
    return wrap((PyTypeObject *)type, status, handle);
}

static PyObject *create_basis(PyObject *type, PyObject *arguments)
{
    PyObject *rows, *node_limit_object, *correlation;
    Py_ssize_t dimension;
    int search;
    size_t node_limit = 0;
    nc_quantizer_options options;
    nc_quantizer_options_init(&options);
    if (!PyArg_ParseTuple(arguments, "OndiOO:create_basis", &rows, &dimension, &options.scale, &search, &node_limit_object, &correlation) ||
        read_count(node_limit_object, "node_limit", 0, SIZE_MAX, &node_limit) < 0)
        return NULL;
    options.search = (nc_search)search;
    options.node_limit = node_limit;
    Py_buffer view, correlation_view = {0};
    if (read_rows(rows, "basis", (size_t)dimension, (size_t)dimension, &view) < 0) return NULL;
    if (correlation != Py_None && read_rows(correlation, "correlation", (size_t)dimension, (size_t)dimension, &correlation_view) < 0) {
        PyBuffer_Release(&view);
        return NULL;
    }
    options.correlation = correlation_view.buf;
    nc_quantizer *handle = NULL;
    nc_status status;
    Py_BEGIN_ALLOW_THREADS
    status = nc_quantizer_create_basis(view.buf, (size_t)dimension, &options, &handle);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&view);
    PyBuffer_Release(&correlation_view);
    return wrap((PyTypeObject *)type, status, handle);
}

static PyObject *create_codebook(PyObject *type, PyObject *arguments)
{
    PyObject *rows;
    Py_ssize_t count, dimension;
    nc_quantizer_options options;
    nc_quantizer_options_init(&options);
    if (!PyArg_ParseTuple(arguments, "Onnd:create_codebook", &rows, &count, &dimension, &options.scale)) return NULL;
    Py_buffer view;
    if (read_rows(rows, "codebook", (size_t)count, (size_t)dimension, &view) < 0) return NULL;
    nc_quantizer *handle = NULL;
    nc_status status;
    Py_BEGIN_ALLOW_THREADS
    status = nc_quantizer_create_codebook(view.buf, (size_t)count, (size_t)dimension, &options, &handle);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&view);
    return wrap((PyTypeObject *)type, status, handle);
}

static PyObject *train_codebook(PyObject *type, PyObject *arguments)
{
    PyObject *samples, *size_object, *seed_object, *rounds_object, *threads, *progress;
    Py_ssize_t count, dimension;
    size_t size = 0, seed, rounds;
    running_call call;
    nc_codebook_options options;
    nc_codebook_options_init(&options);
    seed = options.seed;
    rounds = options.rounds;
    if (!PyArg_ParseTuple(arguments, "OnnOOOdOO:train_codebook", &samples, &count, &dimension, &size_object, &seed_object, &rounds_object,
                          &options.tolerance, &threads, &progress) ||
        read_count(size_object, "size", 1, PY_SSIZE_T_MAX, &size) < 0 || read_count(seed_object, "seed", 0, SIZE_MAX, &seed) < 0 ||
        read_count(rounds_object, "rounds", 1, UINT32_MAX, &rounds) < 0 || read_threads(threads, &options.threads) < 0 ||
        begin_call(&call, progress) < 0)
        return NULL;
    options.seed = seed;
    options.rounds = (uint32_t)rounds;
    options.progress = report_progress;
    options.progress_user = &call;
    Py_buffer view;
    if (read_rows(samples, "samples", (size_t)count, (size_t)dimension, &view) < 0) return NULL;
    nc_quantizer *handle = NULL;
    call.thread = PyEval_SaveThread();
    nc_status status = nc_quantizer_train_codebook(view.buf, (size_t)count, (size_t)dimension, size, &options, &handle);
    PyEval_RestoreThread(call.thread);
    PyBuffer_Release(&view);
    return wrap((PyTypeObject *)type, status, handle);
}

/* ---- Learning one ---------------------------------------------------------------------------------------------------------------------- */

static PyObject *figures_of(const nc_lattice_figures *figures)
{
    return Py_BuildValue("(dddd)", figures->distortion, figures->rate, figures->chained_rate, figures->nsm);
}

/* What the package makes a LatticeReport of. */
static PyObject *report_of(const nc_lattice_learning_report *report)
{
    return Py_BuildValue("{s:N,s:N,s:N,s:N,s:d,s:d,s:d,s:d,s:d,s:d,s:i,s:n,s:n}", "scalar", figures_of(&report->scalar), "babai", figures_of(&report->babai),
                         "nearest_plane", figures_of(&report->nearest_plane), "exact", figures_of(&report->exact), "objective", report->objective,
                         "scalar_objective", report->scalar_objective, "orthogonality_defect", report->orthogonality_defect, "condition",
                         report->condition, "error_deviation", report->error_deviation, "proven", report->proven, "start", (int)report->start,
                         "samples", (Py_ssize_t)report->samples, "held_out", (Py_ssize_t)report->held_out);
}

/* The arguments of `learn` into options; -1 with an exception. */
static int read_learning(PyObject *arguments, PyObject **samples, Py_ssize_t *count, Py_ssize_t *dimension, nc_lattice_learning_options *options, PyObject **progress)
{
    PyObject *node_limit_object, *steps_object, *batch_object, *starts_object, *seed_object, *threads;
    int search, orthogonality, model;
    size_t node_limit = 0, steps = options->steps, batch = options->batch, starts = options->starts, seed = options->seed;
    double lambda, weight, condition;
    if (!PyArg_ParseTuple(arguments, "OnndiOdididdOOOpOOO:learn", samples, count, dimension, &options->scale, &search, &node_limit_object, &lambda,
                          &orthogonality, &weight, &model, &condition, &options->learning_rate, &steps_object, &batch_object, &starts_object,
                          &options->classical_start, &seed_object, &threads, progress) ||
        read_count(node_limit_object, "node_limit", 0, SIZE_MAX, &node_limit) < 0 || read_count(steps_object, "steps", 1, UINT32_MAX, &steps) < 0 ||
        read_count(batch_object, "batch", 1, UINT32_MAX, &batch) < 0 || read_count(starts_object, "starts", 1, UINT32_MAX, &starts) < 0 ||
        read_count(seed_object, "seed", 0, SIZE_MAX, &seed) < 0 || read_threads(threads, &options->threads) < 0)
        return -1;
    /* NaN stands for the default. */
    if (lambda == lambda) options->lambda = lambda;
    if (weight == weight) options->orthogonality_weight = weight;
    if (condition == condition) options->condition_limit = condition;
    options->search = (nc_search)search;
    options->orthogonality = (nc_orthogonality)orthogonality;
    options->model = (nc_coordinate_model)model;
    options->node_limit = node_limit;
    options->steps = (uint32_t)steps;
    options->batch = (uint32_t)batch;
    options->starts = (uint32_t)starts;
    options->seed = seed;
    return 0;
}

static PyObject *learn(PyObject *type, PyObject *arguments)
{
    PyObject *samples, *progress;
    Py_ssize_t count, dimension;
    running_call call;
    nc_lattice_learning_options options;
    nc_lattice_learning_options_init(&options);
    Py_buffer view;
    if (read_learning(arguments, &samples, &count, &dimension, &options, &progress) < 0 || begin_call(&call, progress) < 0 ||
        read_rows(samples, "samples", (size_t)count, (size_t)dimension, &view) < 0)
        return NULL;
    options.progress = report_progress;
    options.progress_user = &call;
    nc_quantizer *handle = NULL;
    nc_lattice_learning_report report = {.struct_size = sizeof report};
    call.thread = PyEval_SaveThread();
    nc_status status = nc_quantizer_learn(view.buf, (size_t)count, (size_t)dimension, &options, &handle, &report);
    PyEval_RestoreThread(call.thread);
    PyBuffer_Release(&view);
    PyObject *quantizer = wrap((PyTypeObject *)type, status, handle);
    return quantizer ? Py_BuildValue("(NN)", quantizer, report_of(&report)) : NULL;
}

static void dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    nc_quantizer_close(&((quantizer_object *)self)->handle);
    release(self);
    Py_DECREF(type);
}

/* ---- Using it ------------------------------------------------------------------------------------------------------------------------ */

static PyObject *info(PyObject *self, PyObject *unused)
{
    (void)unused;
    nc_quantizer_info info = {.struct_size = sizeof info};
    nc_status status = nc_quantizer_get_info(((quantizer_object *)self)->handle, &info);
    if (status != NC_OK) return raise_status(state_of(self), status, NULL);
    return Py_BuildValue("{s:s,s:n,s:n,s:n,s:d,s:d,s:d}", "name", info.name, "dimension", (Py_ssize_t)info.dimension, "index_count",
                         (Py_ssize_t)info.index_count, "codewords", (Py_ssize_t)info.codewords, "scale", info.scale, "volume", info.volume, "nsm",
                         info.nsm);
}

static PyObject *copy_matrix(PyObject *object, PyObject *out, nc_status (*get)(const nc_quantizer *, float *, size_t))
{
    Py_buffer view;
    if (read_values(out, "out", 'f', PyBUF_WRITABLE, &view) < 0) return NULL;
    nc_status status = get(((quantizer_object *)object)->handle, view.buf, length_of(&view));
    PyBuffer_Release(&view);
    return status == NC_OK ? Py_NewRef(Py_None) : raise_status(state_of(object), status, NULL);
}

static PyObject *rows(PyObject *object, PyObject *out) { return copy_matrix(object, out, nc_quantizer_get_basis); }

static PyObject *correlation(PyObject *object, PyObject *out) { return copy_matrix(object, out, nc_quantizer_get_correlation); }

static PyObject *quantize(PyObject *object, PyObject *arguments)
{
    quantizer_object *self = (quantizer_object *)object;
    PyObject *vectors_object, *points_object, *indices_object, *proven_object, *threads_object;
    uint32_t threads = 0;
    if (!PyArg_ParseTuple(arguments, "OOOOO:quantize", &vectors_object, &points_object, &indices_object, &proven_object, &threads_object) ||
        read_threads(threads_object, &threads) < 0)
        return NULL;
    Py_buffer vectors = {0}, points = {0}, indices = {0}, proven = {0};
    PyObject *answer = NULL;
    if (read_values(vectors_object, "vectors", 'f', PyBUF_SIMPLE, &vectors) == 0 && read_values(points_object, "out", 'f', PyBUF_WRITABLE, &points) == 0 &&
        read_values(indices_object, "indices_out", 'i', PyBUF_WRITABLE, &indices) == 0 &&
        read_values(proven_object, "proven", '?', PyBUF_WRITABLE, &proven) == 0) {
        size_t length = length_of(&vectors), count = length / self->dimension;
        if (has_room(&points, "out", length) && has_room(&indices, "indices_out", count * self->index_count) && has_room(&proven, "proven", count)) {
            nc_status status;
            Py_BEGIN_ALLOW_THREADS
            status = nc_quantizer_quantize(self->handle, vectors.buf, length, points.buf, indices.buf, proven.buf, threads);
            Py_END_ALLOW_THREADS
            answer = status == NC_OK ? Py_NewRef(Py_None) : raise_status(state_of(object), status, NULL);
        }
    }
    PyBuffer_Release(&vectors);
    PyBuffer_Release(&points);
    PyBuffer_Release(&indices);
    PyBuffer_Release(&proven);
    return answer;
}

static PyObject *dequantize(PyObject *object, PyObject *arguments)
{
    quantizer_object *self = (quantizer_object *)object;
    PyObject *indices_object, *points_object, *threads_object;
    uint32_t threads = 0;
    if (!PyArg_ParseTuple(arguments, "OOO:dequantize", &indices_object, &points_object, &threads_object) || read_threads(threads_object, &threads) < 0)
        return NULL;
    Py_buffer indices = {0}, points = {0};
    PyObject *answer = NULL;
    if (read_values(indices_object, "indices", 'i', PyBUF_SIMPLE, &indices) == 0 && read_values(points_object, "out", 'f', PyBUF_WRITABLE, &points) == 0) {
        size_t length = length_of(&indices);
        if (has_room(&points, "out", length / self->index_count * self->dimension)) {
            nc_status status;
            Py_BEGIN_ALLOW_THREADS
            status = nc_quantizer_dequantize(self->handle, indices.buf, length, points.buf, threads);
            Py_END_ALLOW_THREADS
            answer = status == NC_OK ? Py_NewRef(Py_None) : raise_status(state_of(object), status, NULL);
        }
    }
    PyBuffer_Release(&indices);
    PyBuffer_Release(&points);
    return answer;
}

/* ---- Coding indices ------------------------------------------------------------------------------------------------------------------ */

static PyObject *rate(PyObject *object, PyObject *arguments)
{
    quantizer_object *self = (quantizer_object *)object;
    PyObject *indices_object, *scales_object, *vectors_object;
    if (!PyArg_ParseTuple(arguments, "OOO:rate", &indices_object, &scales_object, &vectors_object)) return NULL;
    Py_buffer indices = {0}, scales = {0}, vectors = {0};
    PyObject *answer = NULL;
    if (read_values(indices_object, "indices", 'i', PyBUF_SIMPLE, &indices) == 0 && read_values(scales_object, "scales", 'f', PyBUF_SIMPLE, &scales) == 0 &&
        read_values(vectors_object, "vectors", 'd', PyBUF_WRITABLE, &vectors) == 0 &&
        has_room(&vectors, "vectors", length_of(&indices) / self->dimension)) {
        double bits = 0;
        nc_status status;
        Py_BEGIN_ALLOW_THREADS
        status = nc_quantizer_rate(self->handle, indices.buf, length_of(&indices), scales.buf, length_of(&scales), vectors.buf, &bits);
        Py_END_ALLOW_THREADS
        answer = status == NC_OK ? PyFloat_FromDouble(bits) : raise_status(state_of(object), status, NULL);
    }
    PyBuffer_Release(&indices);
    PyBuffer_Release(&scales);
    PyBuffer_Release(&vectors);
    return answer;
}

static PyObject *encode(PyObject *object, PyObject *arguments)
{
    quantizer_object *self = (quantizer_object *)object;
    PyObject *indices_object, *scales_object, *answer = NULL;
    if (!PyArg_ParseTuple(arguments, "OO:encode", &indices_object, &scales_object)) return NULL;
    Py_buffer indices = {0}, scales = {0};
    if (read_values(indices_object, "indices", 'i', PyBUF_SIMPLE, &indices) == 0 && read_values(scales_object, "scales", 'f', PyBUF_SIMPLE, &scales) == 0) {
        uint8_t *data = NULL;
        size_t size = 0;
        nc_status status;
        Py_BEGIN_ALLOW_THREADS
        status = nc_quantizer_encode(self->handle, indices.buf, length_of(&indices), scales.buf, length_of(&scales), &data, &size);
        Py_END_ALLOW_THREADS
        answer = status == NC_OK ? PyBytes_FromStringAndSize((const char *)data, (Py_ssize_t)size) : raise_status(state_of(object), status, NULL);
        nc_free(data);
    }
    PyBuffer_Release(&indices);
    PyBuffer_Release(&scales);
    return answer;
}

static PyObject *decode(PyObject *object, PyObject *arguments)
{
    quantizer_object *self = (quantizer_object *)object;
    PyObject *data_object, *scales_object, *indices_object, *answer = NULL;
    if (!PyArg_ParseTuple(arguments, "OOO:decode", &data_object, &scales_object, &indices_object)) return NULL;
    Py_buffer data = {0}, scales = {0}, indices = {0};
    if (PyObject_GetBuffer(data_object, &data, PyBUF_SIMPLE) == 0 && read_values(scales_object, "scales", 'f', PyBUF_SIMPLE, &scales) == 0 &&
        read_values(indices_object, "indices", 'i', PyBUF_WRITABLE, &indices) == 0) {
        nc_status status;
        Py_BEGIN_ALLOW_THREADS
        status = nc_quantizer_decode(self->handle, data.buf, (size_t)data.len, scales.buf, length_of(&scales), indices.buf, length_of(&indices));
        Py_END_ALLOW_THREADS
        answer = status == NC_OK ? Py_NewRef(Py_None) : raise_status(state_of(object), status, NULL);
    }
    PyBuffer_Release(&data);
    PyBuffer_Release(&scales);
    PyBuffer_Release(&indices);
    return answer;
}

/* ---- Type ---------------------------------------------------------------------------------------------------------------------------- */

static PyMethodDef methods[] = {
    {"create", create, METH_VARARGS | METH_CLASS, "create(name, dimension, scale, offset, dead_zone)"},
    {"create_basis", create_basis, METH_VARARGS | METH_CLASS, "create_basis(rows, dimension, scale, search, node_limit)"},
    {"create_codebook", create_codebook, METH_VARARGS | METH_CLASS, "create_codebook(rows, count, dimension, scale)"},
    {"train_codebook", train_codebook, METH_VARARGS | METH_CLASS,
     "train_codebook(samples, count, dimension, size, seed, rounds, tolerance, threads, progress)"},
    {"learn", learn, METH_VARARGS | METH_CLASS,
     "learn(samples, count, dimension, scale, search, node_limit, lambda, orthogonality, weight, model, condition_limit, learning_rate, steps, batch, starts, "
     "classical_start, seed, threads, progress): (quantizer, report)"},
    {"info", info, METH_NOARGS, "info(), a dict"},
    {"rows", rows, METH_O, "rows(out): writes the basis, or the codewords"},
    {"correlation", correlation, METH_O, "correlation(out): writes the correlation of the coordinates"},
    {"quantize", quantize, METH_VARARGS, "quantize(vectors, points, indices, proven, threads)"},
    {"dequantize", dequantize, METH_VARARGS, "dequantize(indices, points, threads)"},
    {"rate", rate, METH_VARARGS, "rate(indices, scales, vectors), bits"},
    {"encode", encode, METH_VARARGS, "encode(indices, scales), bytes"},
    {"decode", decode, METH_VARARGS, "decode(data, scales, indices): writes the indices"},
    {0},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "See neuralcodec.Quantizer."},
    {Py_tp_dealloc, dealloc},
    {Py_tp_methods, methods},
    {0},
};

static PyType_Spec spec = {
    .name = "neuralcodec._native.Quantizer", .basicsize = sizeof(quantizer_object), .slots = slots,
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE};

PyTypeObject *create_quantizer_type(PyObject *module) { return (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL); }
