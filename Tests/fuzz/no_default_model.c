// SPDX-License-Identifier: Apache-2.0
#include "CDefaultModel.h"

const void *ncd_default_model_data(void) { return ""; }
size_t ncd_default_model_size(void) { return 0; }
