/* SPDX-License-Identifier: Apache-2.0 */
/* What the sources of neuralcodec._native share: the module's state, errors, arguments, and calls of the library without the interpreter lock. */
#ifndef NEURALCODEC_NATIVE_H
#define NEURALCODEC_NATIVE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <neuralcodec.h>

/* ---- Module state and errors (_native.c) ---- */

enum { status_count = NC_INTERNAL + 1 };

typedef struct {
    PyTypeObject *model_type, *pixels_type, *quantizer_type;
    PyObject *exceptions[status_count];  /* by nc_status; [NC_OK] is the base class neuralcodec.Error */
} module_state;

/* Raises what a failed call stands for, from the message of this thread's last call. An exception of the progress callback comes before the
 * cancellation it caused. result: what nc_encode reported, or null. Always returns null. */
PyObject *raise_status(const module_state *state, nc_status status, const nc_encode_result *result);

/* ---- Arguments (_native.c) ---- */

/* An integer argument of minimum...maximum; None (or no argument) leaves *out alone. */
int read_count(PyObject *value, const char *name, size_t minimum, size_t maximum, size_t *out);
int read_threads(PyObject *value, uint32_t *threads);
/* A number argument of minimum...maximum; None (or no argument) leaves *out alone. */
int read_number(PyObject *value, const char *name, double minimum, double maximum, double *out);
int read_limits(PyObject *max_pixels, PyObject *max_memory, nc_limits *limits);
/* A view of a picture of shape (H, W) or (H, W, C) whose rows are without gaps; *bits: of its samples. The caller releases *view. */
int read_picture(PyObject *object, const char *name, int flags, Py_buffer *view, nc_image *image, uint32_t *bits);
/* The handle in a model argument: null, the default model, for None. */
int read_model(const module_state *state, PyObject *value, const nc_model **handle);

/* ---- Library calls without the interpreter lock (_native.c) ---- */

typedef struct {
    PyObject *callback;      /* may be null */
    PyThreadState *thread;   /* saved while the library works */
} running_call;

/* nc_progress: takes the lock back for a moment, lets signal handlers run (so Ctrl-C works), and calls the callback. */
int report_progress(void *user, double fraction);
/* Raises TypeError unless the callback is callable or None. */
int begin_call(running_call *call, PyObject *callback);

/* ---- Types ---- */

PyTypeObject *create_quantizer_type(PyObject *module);  /* _quantizer.c */

/* ---- Functions ---- */

PyObject *analyze(PyObject *module, PyObject *arguments, PyObject *keywords);  /* _analysis.c */

#endif
