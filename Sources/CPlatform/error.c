// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CPlatform.h"
#include <dlfcn.h>
#include <string.h>

static _Thread_local char message[512];

void ncp_error_set(const char *utf8, size_t length) {
    if (length >= sizeof message) {
        length = sizeof message - 1;
        while (length && (utf8[length] & 0xC0) == 0x80) length--; // not inside a character
    }
    memcpy(message, utf8, length);
    message[length] = 0;
}

void ncp_error_clear(void) { message[0] = 0; }

const char *ncp_error_get(void) { return message; }

const char *ncp_own_path(void) {
    static const char anchor;
    Dl_info info;
    return dladdr(&anchor, &info) ? info.dli_fname : NULL;
}
