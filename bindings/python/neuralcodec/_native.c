/* SPDX-License-Identifier: Apache-2.0 */
/*
 * neuralcodec._native: the C interface as a Python extension on the limited API (one binary for CPython 3.11 and later).
 *
 * Each function reads its arguments, holds buffer views, releases the interpreter lock around one library call, and turns the outcome into an object
 * or an exception. Pictures pass through the buffer protocol, so nothing here knows numpy. The library is thread-safe, and so is this module.
 */
#include "_native.h"
#include <string.h>

/* ---- Module state -------------------------------------------------------------------------------------------------------------------- */

/* The classes of our own. A status without one is below: ValueError, MemoryError, UnsupportedError or the base class. */
static const struct {
    nc_status status;
    const char *name, *doc;
} exception_classes[] = {
    {NC_OK, "neuralcodec.Error", "Base class of the errors of this package."},
    {NC_LIMIT_EXCEEDED, "neuralcodec.LimitError", "More pixels or memory than max_pixels or max_memory allow; the message gives the number needed."},
    {NC_CANCELLED, "neuralcodec.CancelledError", "The progress callback returned False."},
    {NC_BAD_STREAM, "neuralcodec.BadStreamError", "Not a .nic file, or damaged, or truncated."},
    {NC_UNSUPPORTED, "neuralcodec.UnsupportedError", "Valid, but of a kind this version does not handle: a newer format, another type of image."},
    {NC_MODEL_NOT_FOUND, "neuralcodec.ModelNotFoundError",
     "The model that the file or the caller names is not here, or is not the one the file needs."},
    {NC_BAD_MODEL, "neuralcodec.BadModelError", "The model file is damaged or of an unknown architecture."},
    {NC_TARGET_UNREACHABLE, "neuralcodec.TargetUnreachableError",
     "No quality meets the target. nearest_quality, nearest_size and nearest_psnr say how near one can get; None where unknown."},
    {NC_DECODER_MISMATCH, "neuralcodec.DecoderMismatchError",
     "The file is intact but decoded to other symbols than were encoded: a defect of the library, please report it."},
};

static int create_exceptions(PyObject *module, module_state *state)
{
    PyObject **table = state->exceptions;
    for (size_t i = 0; i < sizeof exception_classes / sizeof *exception_classes; i++) {
        nc_status status = exception_classes[i].status;
        table[status] = PyErr_NewExceptionWithDoc(exception_classes[i].name, exception_classes[i].doc, status == NC_OK ? NULL : table[NC_OK], NULL);
        if (!table[status] || PyModule_AddType(module, (PyTypeObject *)table[status]) < 0) return -1;
    }
    table[NC_INVALID_ARGUMENT] = Py_NewRef(PyExc_ValueError);
    table[NC_BUFFER_TOO_SMALL] = Py_NewRef(PyExc_ValueError);
    table[NC_OUT_OF_MEMORY] = Py_NewRef(PyExc_MemoryError);
    table[NC_CPU_UNSUPPORTED] = Py_NewRef(table[NC_UNSUPPORTED]);
    table[NC_INTERNAL] = Py_NewRef(table[NC_OK]);
    return 0;
}

PyObject *raise_status(const module_state *state, nc_status status, const nc_encode_result *result)
{
    if (PyErr_Occurred()) return NULL;
    PyObject *message = PyUnicode_DecodeUTF8(nc_last_error(), (Py_ssize_t)strlen(nc_last_error()), "replace");
    if (!message) return NULL;
    PyObject *type = (unsigned)status < status_count ? state->exceptions[status] : state->exceptions[NC_OK];
    PyObject *error = PyObject_CallFunctionObjArgs(type, message, NULL);
    Py_DECREF(message);
    if (!error) return NULL;
    if (status == NC_TARGET_UNREACHABLE && result) {
        PyObject *quality = result->quality >= 0 ? PyFloat_FromDouble(result->quality) : Py_NewRef(Py_None);
        PyObject *size = result->size ? PyLong_FromSize_t(result->size) : Py_NewRef(Py_None);
        PyObject *psnr = result->psnr == result->psnr ? PyFloat_FromDouble(result->psnr) : Py_NewRef(Py_None);
        int set = quality && size && psnr && !PyObject_SetAttrString(error, "nearest_quality", quality) &&
                  !PyObject_SetAttrString(error, "nearest_size", size) && !PyObject_SetAttrString(error, "nearest_psnr", psnr);
        Py_XDECREF(quality);
        Py_XDECREF(size);
        Py_XDECREF(psnr);
        if (!set) {
            Py_DECREF(error);
            return NULL;
        }
    }
    PyErr_SetObject(type, error);
    Py_DECREF(error);
    return NULL;
}

/* ---- Arguments ----------------------------------------------------------------------------------------------------------------------- */

int read_count(PyObject *value, const char *name, size_t minimum, size_t maximum, size_t *out)
{
    if (!value || value == Py_None) return 0;
    PyObject *index = PyNumber_Index(value);
    if (!index) return -1;
    size_t count = PyLong_AsSize_t(index);
    Py_DECREF(index);
    int overflow = PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_OverflowError);
    if (PyErr_Occurred() && !overflow) return -1;
    if (overflow || count < minimum || count > maximum) {
        PyErr_Clear();
        PyErr_Format(PyExc_ValueError, "%s must be %zu to %zu, not %R", name, minimum, maximum, value);
        return -1;
    }
    *out = count;
    return 0;
}

int read_number(PyObject *value, const char *name, double minimum, double maximum, double *out)
{
    if (!value || value == Py_None) return 0;
    double number = PyFloat_AsDouble(value);
    if (number == -1.0 && PyErr_Occurred()) return -1;
    if (!(number >= minimum && number <= maximum)) {
        PyErr_Format(PyExc_ValueError, "%s must be %d to %d, not %R", name, (int)minimum, (int)maximum, value);
        return -1;
    }
    *out = number;
    return 0;
}

int read_limits(PyObject *max_pixels, PyObject *max_memory, nc_limits *limits)
{
    if (read_count(max_pixels, "max_pixels", 0, PY_SSIZE_T_MAX, &limits->max_pixels) < 0) return -1;
    return read_count(max_memory, "max_memory", 0, PY_SSIZE_T_MAX, &limits->max_memory);
}

int read_threads(PyObject *value, uint32_t *threads)
{
    size_t count = *threads;
    if (read_count(value, "threads", 0, 1024, &count) < 0) return -1;
    *threads = (uint32_t)count;
    return 0;
}

/* Bits of a sample of a buffer, or 0: neither bytes nor 16-bit integers in the machine's order. */
static uint32_t sample_bits(const Py_buffer *view)
{
    const char *format = view->format ? view->format : "B";
    const uint16_t one = 1;
    if (*format == '@' || *format == '=' || *format == (*(const uint8_t *)&one ? '<' : '>')) format++;
    if (view->itemsize == 1 && strcmp(format, "B") == 0) return 8;
    return view->itemsize == 2 && strcmp(format, "H") == 0 ? 16 : 0;
}

int read_picture(PyObject *object, const char *name, int flags, Py_buffer *view, nc_image *image, uint32_t *bits)
{
    if (PyObject_GetBuffer(object, view, PyBUF_STRIDES | PyBUF_FORMAT | flags) < 0) return -1;
    const Py_ssize_t *shape = view->shape, *strides = view->strides, sample = view->itemsize;
    *bits = sample_bits(view);
    if (!*bits) {
        PyErr_Format(PyExc_TypeError, "%s must hold unsigned samples of 8 or 16 bits in the machine's order, not the format '%s'", name, view->format ? view->format : "?");
    } else if (view->ndim != 2 && view->ndim != 3) {
        PyErr_Format(PyExc_ValueError, "%s must have the shape (H, W) or (H, W, 1...4), not %d dimensions", name, view->ndim);
    } else {
        Py_ssize_t height = shape[0], width = shape[1], channels = view->ndim == 3 ? shape[2] : 1, pixel = channels * sample;
        if (height < 1 || width < 1 || channels < 1 || channels > 4) {
            PyErr_Format(PyExc_ValueError, "%s must have the shape (H, W) or (H, W, 1...4), not (%zd, %zd, %zd)", name, height, width, channels);
        } else if ((channels > 1 && strides[2] != sample) || (width > 1 && strides[1] != pixel) || (height > 1 && strides[0] < width * pixel)) {
            PyErr_Format(PyExc_ValueError, "%s must have rows without gaps, from top to bottom", name);
        } else {
            *image = (nc_image){.pixels = view->buf, .width = (size_t)width, .height = (size_t)height, .channels = (size_t)channels,
                                .stride = height > 1 ? (size_t)strides[0] : 0};
            return 0;
        }
    }
    PyBuffer_Release(view);
    return -1;
}

/* Views of the bytes given as metadata; None is nothing. The caller releases all three, whatever came of them. */
static int read_metadata_views(PyObject *const objects[3], Py_buffer views[3], nc_metadata *metadata)
{
    for (int i = 0; i < 3; i++)
        if (objects[i] != Py_None && PyObject_GetBuffer(objects[i], &views[i], PyBUF_SIMPLE) < 0) return -1;
    *metadata = (nc_metadata){.struct_size = sizeof *metadata, .icc = views[0].buf, .icc_size = (size_t)views[0].len, .exif = views[1].buf,
                              .exif_size = (size_t)views[1].len, .xmp = views[2].buf, .xmp_size = (size_t)views[2].len};
    return 0;
}

/* ---- Library calls without the interpreter lock -------------------------------------------------------------------------------------- */

int report_progress(void *user, double fraction)
{
    running_call *call = user;
    PyEval_RestoreThread(call->thread);
    int stop = PyErr_Occurred() || PyErr_CheckSignals() < 0;
    if (!stop && call->callback) {
        PyObject *answer = PyObject_CallFunction(call->callback, "d", fraction);
        stop = !answer || answer == Py_False;
        Py_XDECREF(answer);
    }
    call->thread = PyEval_SaveThread();
    return stop;
}

int begin_call(running_call *call, PyObject *callback)
{
    call->callback = callback == Py_None ? NULL : callback;
    if (call->callback && !PyCallable_Check(callback)) {
        PyErr_Format(PyExc_TypeError, "progress must be callable or None, not %R", callback);
        return -1;
    }
    return 0;
}

/* ---- Model --------------------------------------------------------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    nc_model *handle;
} model_object;

static module_state *state_of(PyObject *object) { return PyType_GetModuleState(Py_TYPE(object)); }

int read_model(const module_state *state, PyObject *value, const nc_model **handle)
{
    if (value && value != Py_None && !Py_IS_TYPE(value, state->model_type)) {
        PyErr_Format(PyExc_TypeError, "model must be a neuralcodec.Model or None, not %R", (PyObject *)Py_TYPE(value));
        return -1;
    }
    *handle = value && value != Py_None ? ((model_object *)value)->handle : NULL;
    return 0;
}

/* A Model around an open handle, which it takes over. */
static PyObject *wrap_model(PyTypeObject *type, nc_model *handle)
{
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    model_object *self = (model_object *)allocate(type, 0);
    if (!self) {
        nc_model_close(&handle);
        return NULL;
    }
    self->handle = handle;
    return (PyObject *)self;
}

static PyObject *model_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"name_or_path", NULL};
    PyObject *path = NULL;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|O&:Model", names, PyUnicode_FSConverter, &path)) return NULL;
    nc_model *handle = NULL;
    nc_status status;
    Py_BEGIN_ALLOW_THREADS
    status = nc_model_open(path ? PyBytes_AsString(path) : "default", &handle);
    Py_END_ALLOW_THREADS
    PyObject *self = status == NC_OK ? wrap_model(type, handle) : raise_status(PyType_GetModuleState(type), status, NULL);
    Py_XDECREF(path);
    return self;
}

static PyObject *model_from_bytes(PyObject *type, PyObject *data)
{
    Py_buffer view;
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0) return NULL;
    nc_model *handle = NULL;
    nc_status status;
    Py_BEGIN_ALLOW_THREADS
    status = nc_model_open_memory(view.buf, (size_t)view.len, &handle);
    Py_END_ALLOW_THREADS
    PyTypeObject *model_type = (PyTypeObject *)type;
    PyObject *self = status == NC_OK ? wrap_model(model_type, handle) : raise_status(PyType_GetModuleState(model_type), status, NULL);
    PyBuffer_Release(&view);
    return self;
}

static void model_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    nc_model_close(&((model_object *)self)->handle);
    release(self);
    Py_DECREF(type);
}

static PyObject *hexadecimal(const uint8_t *bytes, size_t count)
{
    char text[64];
    for (size_t i = 0; i < count; i++) {
        text[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    return PyUnicode_DecodeASCII(text, (Py_ssize_t)(2 * count), NULL);
}

enum model_property { model_id, model_architecture, model_description, model_hash, model_parameters, model_variable_rate };

static PyObject *model_get(PyObject *self, void *property)
{
    nc_model_info info = {.struct_size = sizeof info};
    nc_status status = nc_model_get_info(((model_object *)self)->handle, &info);
    if (status != NC_OK) return raise_status(state_of(self), status, NULL);
    switch ((enum model_property)(intptr_t)property) {
    case model_id: return PyUnicode_FromString(info.id);
    case model_architecture: return PyUnicode_FromString(info.architecture);
    case model_description: return PyUnicode_FromString(info.description);
    case model_hash: return hexadecimal(info.hash, sizeof info.hash);
    case model_parameters: return PyLong_FromUnsignedLongLong(info.parameters);
    case model_variable_rate: return PyBool_FromLong(info.variable_rate);
    }
    Py_UNREACHABLE();
}

static PyObject *model_repr(PyObject *self)
{
    nc_model_info info = {.struct_size = sizeof info};
    nc_status status = nc_model_get_info(((model_object *)self)->handle, &info);
    if (status != NC_OK) return raise_status(state_of(self), status, NULL);
    return PyUnicode_FromFormat("<neuralcodec.Model %s, %s>", info.id, info.architecture);
}

static PyGetSetDef model_properties[] = {
    {"id", model_get, NULL, "Short name that files carry.", (void *)model_id},
    {"architecture", model_get, NULL, "Family of the network.", (void *)model_architecture},
    {"description", model_get, NULL, "One line: training data and its terms.", (void *)model_description},
    {"hash", model_get, NULL, "SHA-256 over weights, tables and hyperparameters, in hexadecimal; files carry 16 digits.", (void *)model_hash},
    {"parameters", model_get, NULL, "Number of weights.", (void *)model_parameters},
    {"variable_rate", model_get, NULL, "True: quality 0...100 selects the rate. False: one fixed quality.", (void *)model_variable_rate},
    {0},
};

static PyMethodDef model_methods[] = {
    {"from_bytes", model_from_bytes, METH_O | METH_CLASS, "from_bytes($type, data, /)\n--\n\nOpens a model from the bytes of a .safetensors file."},
    {0},
};

static PyType_Slot model_slots[] = {
    {Py_tp_doc, "Model(name_or_path='default')\n--\n\n"
                "A trained network. Immutable; one Model may be used by many threads at once.\n\n"
                "name_or_path is 'default' (the model inside the library), the path of a .safetensors file, or an id that is\n"
                "looked up as ID.safetensors in the folders of NEURALCODEC_MODEL_PATH and where the library is installed.\n\n"
                ">>> model = Model()\n"
                ">>> len(model.hash)\n"
                "64\n"
                ">>> Model('no such model')\n"
                "Traceback (most recent call last):\n"
                "    ...\n"
                "neuralcodec.ModelNotFoundError: ..."},
    {Py_tp_new, model_new},
    {Py_tp_dealloc, model_dealloc},
    {Py_tp_repr, model_repr},
    {Py_tp_getset, model_properties},
    {Py_tp_methods, model_methods},
    {0},
};

static PyType_Spec model_spec = {
    .name = "neuralcodec.Model", .basicsize = sizeof(model_object), .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, .slots = model_slots};

/* ---- Pixels: memory of the library as a buffer of shape (H, W, C) -------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    uint8_t *memory;
    Py_ssize_t shape[3], strides[3];  /* the last stride: bytes of a sample */
} pixels_object;

static PyObject *wrap_pixels(PyTypeObject *type, uint8_t *memory, const nc_info *info)
{
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    pixels_object *self = (pixels_object *)allocate(type, 0);
    if (!self) {
        nc_free(memory);
        return NULL;
    }
    self->memory = memory;
    self->shape[0] = (Py_ssize_t)info->height;
    self->shape[1] = (Py_ssize_t)info->width;
    self->shape[2] = (Py_ssize_t)info->channels;
    self->strides[2] = (Py_ssize_t)info->bit_depth / 8;
    self->strides[1] = self->shape[2] * self->strides[2];
    self->strides[0] = self->shape[1] * self->strides[1];
    return (PyObject *)self;
}

static int pixels_get_buffer(PyObject *object, Py_buffer *view, int flags)
{
    pixels_object *self = (pixels_object *)object;
    *view = (Py_buffer){
        .buf = self->memory, .obj = Py_NewRef(object), .len = self->shape[0] * self->strides[0], .itemsize = self->strides[2], .ndim = 3,
        .format = (flags & PyBUF_FORMAT) != PyBUF_FORMAT ? NULL : self->strides[2] == 1 ? "B" : "H",
        .shape = (flags & PyBUF_ND) == PyBUF_ND ? self->shape : NULL,
        .strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? self->strides : NULL,
    };
    if (!view->shape) view->ndim = 1;
    return 0;
}

static void pixels_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    nc_free(((pixels_object *)self)->memory);
    release(self);
    Py_DECREF(type);
}

static PyType_Slot pixels_slots[] = {
    {Py_tp_doc, "Decoded pixels: a writable buffer of shape (H, W, C)."},
    {Py_tp_dealloc, pixels_dealloc},
    {Py_bf_getbuffer, pixels_get_buffer},
    {0},
};

static PyType_Spec pixels_spec = {
    .name = "neuralcodec._native.Pixels", .basicsize = sizeof(pixels_object), .slots = pixels_slots,
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE};

/* ---- Functions ----------------------------------------------------------------------------------------------------------------------- */

static PyObject *encode(PyObject *module, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"image", "quality", "target_size", "target_psnr", "model", "threads", "max_pixels", "max_memory", "progress", "without_alpha",
                            "icc", "exif", "xmp", NULL};
    const module_state *state = PyModule_GetState(module);
    PyObject *object, *quality = NULL, *target_size = NULL, *target_psnr = NULL, *model = NULL;
    PyObject *threads = NULL, *max_pixels = NULL, *max_memory = NULL, *progress = Py_None, *beside[3] = {Py_None, Py_None, Py_None};
    int without_alpha = 0;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O|$OOOOOOOOpOOO:encode", names, &object, &quality, &target_size, &target_psnr, &model,
                                     &threads, &max_pixels, &max_memory, &progress, &without_alpha, &beside[0], &beside[1], &beside[2]))
        return NULL;

    nc_encode_options options;
    nc_encode_options_init(&options);
    options.quality = -1;  /* not set */
    const nc_model *handle;
    running_call call;
    if (read_number(quality, "quality", 0, 100, &options.quality) < 0 ||
        read_count(target_size, "target_size", 1, PY_SSIZE_T_MAX, &options.target_size) < 0 ||
        read_number(target_psnr, "target_psnr", 1, 200, &options.target_psnr) < 0 || read_threads(threads, &options.threads) < 0 ||
        read_limits(max_pixels, max_memory, &options.limits) < 0 || read_model(state, model, &handle) < 0 || begin_call(&call, progress) < 0)
        return NULL;
    options.progress = report_progress;
    options.progress_user = &call;
    options.alpha = without_alpha ? NC_ALPHA_NONE : NC_ALPHA_LOSSLESS;

    Py_buffer view, views[3] = {{0}};
    nc_image image;
    nc_metadata metadata;
    if (read_picture(object, "image", PyBUF_SIMPLE, &view, &image, &options.bit_depth) < 0) return NULL;
    PyObject *file = NULL;
    if (read_metadata_views(beside, views, &metadata) == 0) {
        options.metadata = &metadata;
        uint8_t *data = NULL;
        size_t size = 0;
        nc_encode_result result = {.struct_size = sizeof result};
        call.thread = PyEval_SaveThread();
        nc_status status = nc_encode(handle, &image, &options, &data, &size, &result);
        PyEval_RestoreThread(call.thread);
        file = status == NC_OK && !PyErr_Occurred() ? PyBytes_FromStringAndSize((const char *)data, (Py_ssize_t)size) : raise_status(state, status, &result);
        nc_free(data);
    }
    PyBuffer_Release(&view);
    for (int i = 0; i < 3; i++) PyBuffer_Release(&views[i]);
    return file;
}

/* Decodes into the buffer `out`, whose shape must be the picture's. */
static nc_status decode_into(const nc_model *handle, const Py_buffer *data, const nc_decode_options *options,
                             running_call *call, PyObject *out)
{
    nc_info info = {.struct_size = sizeof info};
    nc_status status = nc_read_info(data->buf, (size_t)data->len, &info);
    if (status != NC_OK) return status;
    if (options->alpha == NC_ALPHA_NONE) info.channels -= (size_t)info.alpha;
    if (options->bit_depth) info.bit_depth = options->bit_depth;
    Py_buffer view;
    nc_image image;
    uint32_t bits;
    if (read_picture(out, "out", PyBUF_WRITABLE, &view, &image, &bits) < 0) return NC_INVALID_ARGUMENT;
    if (bits != info.bit_depth) {
        PyErr_Format(PyExc_TypeError, "out has samples of %u bits, the picture of %zu", (unsigned)bits, info.bit_depth);
        status = NC_INVALID_ARGUMENT;
    } else if (image.height != info.height || image.width != info.width || image.channels != info.channels) {
        PyErr_Format(PyExc_ValueError, "out has the shape (%zu, %zu, %zu), the picture (%zu, %zu, %zu)", image.height, image.width, image.channels,
                     info.height, info.width, info.channels);
        status = NC_INVALID_ARGUMENT;
    } else {
        size_t row = image.width * image.channels * bits / 8;
        call->thread = PyEval_SaveThread();
        status = nc_decode_into(handle, data->buf, (size_t)data->len, options, view.buf, (image.height - 1) * image.stride + row, image.stride);
        PyEval_RestoreThread(call->thread);
    }
    PyBuffer_Release(&view);
    return status;
}

static PyObject *decode(PyObject *module, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"data", "model", "threads", "out", "max_pixels", "max_memory", "progress", "without_alpha", "bit_depth", NULL};
    const module_state *state = PyModule_GetState(module);
    PyObject *object, *model = NULL, *threads = NULL, *out = Py_None, *max_pixels = NULL, *max_memory = NULL, *progress = Py_None, *bit_depth = NULL;
    int without_alpha = 0;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O|$OOOOOOpO:decode", names, &object, &model, &threads, &out, &max_pixels, &max_memory,
                                     &progress, &without_alpha, &bit_depth))
        return NULL;

    nc_decode_options options;
    nc_decode_options_init(&options);
    const nc_model *handle;
    running_call call;
    size_t bits = 0;
    if (read_threads(threads, &options.threads) < 0 || read_limits(max_pixels, max_memory, &options.limits) < 0 ||
        read_count(bit_depth, "bit_depth", 8, 16, &bits) < 0 || read_model(state, model, &handle) < 0 || begin_call(&call, progress) < 0)
        return NULL;
    options.alpha = without_alpha ? NC_ALPHA_NONE : NC_ALPHA_LOSSLESS;
    options.bit_depth = (uint32_t)bits;
    options.progress = report_progress;
    options.progress_user = &call;

    Py_buffer data;
    if (PyObject_GetBuffer(object, &data, PyBUF_SIMPLE) < 0) return NULL;
    PyObject *answer;
    if (out != Py_None) {
        nc_status status = decode_into(handle, &data, &options, &call, out);
        answer = status == NC_OK && !PyErr_Occurred() ? Py_NewRef(out) : raise_status(state, status, NULL);
    } else {
        uint8_t *memory = NULL;
        nc_info info = {.struct_size = sizeof info};
        call.thread = PyEval_SaveThread();
        nc_status status = nc_decode(handle, data.buf, (size_t)data.len, &options, &memory, &info);
        PyEval_RestoreThread(call.thread);
        if (status == NC_OK && !PyErr_Occurred()) {
            answer = wrap_pixels(state->pixels_type, memory, &info);
        } else {
            answer = raise_status(state, status, NULL);
            nc_free(memory);
        }
    }
    PyBuffer_Release(&data);
    return answer;
}

static PyObject *read_info(PyObject *module, PyObject *object)
{
    Py_buffer data;
    if (PyObject_GetBuffer(object, &data, PyBUF_SIMPLE) < 0) return NULL;
    nc_info info = {.struct_size = sizeof info};
    nc_status status = nc_read_info(data.buf, (size_t)data.len, &info);
    PyBuffer_Release(&data);
    if (status != NC_OK) return raise_status(PyModule_GetState(module), status, NULL);
    PyObject *hash = hexadecimal(info.model_hash, info.model_id[0] ? sizeof info.model_hash : 0);
    return Py_BuildValue("{s:n,s:n,s:n,s:n,s:s,s:N,s:i,s:N,s:I,s:I,s:n,s:N,s:n,s:I,s:n,s:n,s:n}",
                         "width", (Py_ssize_t)info.width, "height", (Py_ssize_t)info.height, "channels", (Py_ssize_t)info.channels,
                         "bit_depth", (Py_ssize_t)info.bit_depth, "model_id", info.model_id, "model_hash", hash,
                         "rate_parameter", (int)info.rate_parameter, "stored", PyBool_FromLong(info.stored),
                         "format_version", (unsigned)info.format_version, "arithmetic_version", (unsigned)info.arithmetic_version,
                         "payload_size", (Py_ssize_t)info.payload_size, "alpha", PyBool_FromLong(info.alpha), "alpha_size",
                         (Py_ssize_t)info.alpha_size, "orientation", (unsigned)info.orientation, "icc_size", (Py_ssize_t)info.icc_size,
                         "exif_size", (Py_ssize_t)info.exif_size, "xmp_size", (Py_ssize_t)info.xmp_size);
}

/* A copy; None of nothing. */
static PyObject *bytes_of(const void *data, size_t size)
{
    return size ? PyBytes_FromStringAndSize(data, (Py_ssize_t)size) : Py_NewRef(Py_None);
}

static PyObject *read_metadata(PyObject *module, PyObject *object)
{
    Py_buffer data;
    if (PyObject_GetBuffer(object, &data, PyBUF_SIMPLE) < 0) return NULL;
    nc_metadata found = {.struct_size = sizeof found};
    nc_status status = nc_read_metadata(data.buf, (size_t)data.len, &found);
    PyObject *answer = status == NC_OK ? Py_BuildValue("{s:N,s:N,s:N}", "icc", bytes_of(found.icc, found.icc_size), "exif", bytes_of(found.exif, found.exif_size),
                                                       "xmp", bytes_of(found.xmp, found.xmp_size))
                                       : raise_status(PyModule_GetState(module), status, NULL);
    PyBuffer_Release(&data);
    return answer;
}

static PyObject *cpu_info(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyUnicode_FromString(nc_cpu_info());
}

static PyObject *version(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyUnicode_FromString(nc_version());
}

/* ---- Module -------------------------------------------------------------------------------------------------------------------------- */

static PyMethodDef functions[] = {
    {"encode", (PyCFunction)(void (*)(void))encode, METH_VARARGS | METH_KEYWORDS,
     "See neuralcodec.encode. image: a buffer of shape (H, W) or (H, W, C)."},
    {"decode", (PyCFunction)(void (*)(void))decode, METH_VARARGS | METH_KEYWORDS, "See neuralcodec.decode. Returns Pixels, or out where given."},
    {"analyze", (PyCFunction)(void (*)(void))analyze, METH_VARARGS | METH_KEYWORDS,
     "See neuralcodec.analyze. Returns a dict of numbers and of the bytes of arrays."},
    {"read_info", read_info, METH_O, "See neuralcodec.read_info. Returns a dict."},
    {"read_metadata", read_metadata, METH_O, "See neuralcodec.read_metadata. Returns a dict."},
    {"cpu_info", cpu_info, METH_NOARGS,
     "cpu_info()\n--\n\nOne line on what the library uses on this CPU: the instruction-set path and the number of logical cores.\n\n"
     ">>> 'core' in cpu_info()\nTrue"},
    {"version", version, METH_NOARGS, "version()\n--\n\nVersion of the library at run time."},
    {0},
};

static int execute(PyObject *module)
{
    module_state *state = PyModule_GetState(module);
    if (create_exceptions(module, state) < 0) return -1;
    state->model_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &model_spec, NULL);
    if (!state->model_type || PyModule_AddType(module, state->model_type) < 0) return -1;
    state->pixels_type = (PyTypeObject *)PyType_FromModuleAndSpec(module, &pixels_spec, NULL);
    if (!state->pixels_type) return -1;
    state->quantizer_type = create_quantizer_type(module);
    return state->quantizer_type && PyModule_AddType(module, state->quantizer_type) == 0 ? 0 : -1;
}

static int traverse(PyObject *module, visitproc visit, void *arg)
{
    module_state *state = PyModule_GetState(module);
    Py_VISIT(state->model_type);
    Py_VISIT(state->pixels_type);
    Py_VISIT(state->quantizer_type);
    for (int i = 0; i < status_count; i++) Py_VISIT(state->exceptions[i]);
    return 0;
}

static int clear(PyObject *module)
{
    module_state *state = PyModule_GetState(module);
    Py_CLEAR(state->model_type);
    Py_CLEAR(state->pixels_type);
    Py_CLEAR(state->quantizer_type);
    for (int i = 0; i < status_count; i++) Py_CLEAR(state->exceptions[i]);
    return 0;
}

static void release(void *module) { clear(module); }

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, execute}, {0}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "neuralcodec._native", .m_doc = "The C interface of libneuralcodec; use the package neuralcodec.",
    .m_size = sizeof(module_state), .m_methods = functions, .m_slots = module_slots, .m_traverse = traverse, .m_clear = clear, .m_free = release};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&definition); }
