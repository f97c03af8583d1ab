/* SPDX-License-Identifier: Apache-2.0 */
/* neuralcodec._native.analyze: nc_analyze as one call that answers with numbers and the bytes of arrays. */
#include "_native.h"

/* A plane as bytes: float32 values (channel, row, column), copied. */
static PyObject *plane_bytes(const nc_analysis *analysis, nc_plane plane, const nc_analysis_info *info)
{
    const float *values;
    if (nc_analysis_get_plane(analysis, plane, &values) != NC_OK) return NULL;
    return PyBytes_FromStringAndSize((const char *)values, (Py_ssize_t)(info->channels * info->height * info->width * sizeof *values));
}

/* float64 values as bytes that `get` fills. */
static PyObject *numbers(size_t count, nc_status (*get)(const nc_analysis *analysis, nc_plane plane, double *values, size_t count), const nc_analysis *analysis,
                         nc_plane plane)
{
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(count * sizeof(double)));
    if (bytes && get(analysis, plane, (double *)(void *)PyBytes_AsString(bytes), count) != NC_OK) Py_CLEAR(bytes);
    return bytes;
}

static nc_status channel_bpp(const nc_analysis *analysis, nc_plane plane, double *values, size_t count)
{
    (void)plane;
    return nc_analysis_get_channel_bpp(analysis, values, count);
}

static PyObject *answer(const module_state *state, const nc_analysis *analysis)
{
    nc_analysis_info info = {.struct_size = sizeof info};
    nc_status status = nc_analysis_get_info(analysis, &info);
    if (status != NC_OK) return raise_status(state, status, NULL);
    size_t cells = info.window * info.window;
    /* The getters cannot fail with these arguments; a null object is for want of memory. */
    return Py_BuildValue(
        "{s:(nnn),s:n,s:d,s:i,s:d,s:d,s:d,s:d,s:N,s:N,s:N,s:N,s:N,s:N,s:N,s:N,s:N}", "shape", (Py_ssize_t)info.channels, (Py_ssize_t)info.height,
        (Py_ssize_t)info.width, "window", (Py_ssize_t)info.window, "quality", info.quality, "rate_parameter", (int)info.rate_parameter, "bpp", info.latent_bpp,
        "hyper_bpp", info.hyperlatent_bpp, "average_correlation", info.average_correlation, "average_correlation_quantized",
        info.average_correlation_quantized, "correlation_map", numbers(cells, nc_analysis_get_correlation, analysis, NC_PLANE_NORMALIZED),
        "correlation_map_quantized", numbers(cells, nc_analysis_get_correlation, analysis, NC_PLANE_QUANTIZED), "channel_bpp",
        numbers(info.channels, channel_bpp, analysis, NC_PLANE_BITS), "latent", plane_bytes(analysis, NC_PLANE_LATENT, &info), "mean",
        plane_bytes(analysis, NC_PLANE_MEAN, &info), "scale", plane_bytes(analysis, NC_PLANE_SCALE, &info), "normalized",
        plane_bytes(analysis, NC_PLANE_NORMALIZED, &info), "quantized", plane_bytes(analysis, NC_PLANE_QUANTIZED, &info), "bits",
        plane_bytes(analysis, NC_PLANE_BITS, &info));
}

PyObject *analyze(PyObject *module, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {"image", "quality", "model", "window", "threads", "max_pixels", "max_memory", "progress", NULL};
    const module_state *state = PyModule_GetState(module);
    PyObject *object, *quality = NULL, *model = NULL, *window = NULL, *threads = NULL, *max_pixels = NULL, *max_memory = NULL, *progress = Py_None;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "O|$OOOOOOO:analyze", names, &object, &quality, &model, &window, &threads, &max_pixels, &max_memory,
                                     &progress))
        return NULL;

    nc_analysis_options options;
    nc_analysis_options_init(&options);
    const nc_model *handle;
    running_call call;
    if (read_number(quality, "quality", 0, 100, &options.quality) < 0 || read_count(window, "window", 3, 31, &options.window) < 0 ||
        read_threads(threads, &options.threads) < 0 || read_limits(max_pixels, max_memory, &options.limits) < 0 || read_model(state, model, &handle) < 0 ||
        begin_call(&call, progress) < 0)
        return NULL;
    options.progress = report_progress;
    options.progress_user = &call;

    Py_buffer view;
    nc_image image;
    if (read_picture(object, "image", PyBUF_SIMPLE, &view, &image, &options.bit_depth) < 0) return NULL;
    nc_analysis *analysis = NULL;
    call.thread = PyEval_SaveThread();
    nc_status status = nc_analyze(handle, &image, &options, &analysis);
    PyEval_RestoreThread(call.thread);
    PyBuffer_Release(&view);
    PyObject *found = status == NC_OK && !PyErr_Occurred() ? answer(state, analysis) : raise_status(state, status, NULL);
    nc_analysis_close(&analysis);
    return found;
}
