/* SPDX-License-Identifier: Apache-2.0 */
/* The default model: the bytes of models/nic-2.safetensors, part of the library's read-only data. */
#ifndef CDEFAULTMODEL_H
#define CDEFAULTMODEL_H

#include <stddef.h>

const void *ncd_default_model_data(void);
size_t ncd_default_model_size(void);

#endif
