// SPDX-License-Identifier: Apache-2.0
#include "CDefaultModel.h"

_Alignas(64) static const unsigned char model[] = {
#embed "../../models/nic-2.safetensors"
};

const void *ncd_default_model_data(void) { return model; }
size_t ncd_default_model_size(void) { return sizeof model; }
