/* SPDX-License-Identifier: Apache-2.0 */
/* Floating-point environments that a host program may have set. */
#ifndef FLOAT_MODES_H
#define FLOAT_MODES_H
#include <stdint.h>

#if defined(__x86_64__)
#include <immintrin.h>
static void set_mode(uint64_t mode) { _mm_setcsr((unsigned)mode); }
static uint64_t get_mode(void) { return _mm_getcsr(); }
static const uint64_t modes[] = {
    0x1F80 | 0x8000 | 0x0040,           /* flush to zero, denormals are zero */
    0x1F80 | 0x2000,                    /* round down */
    0x1F80 | 0x8000 | 0x0040 | 0x4000,  /* all that, and round up */
    0x1F80 | 0x6000 | 0x003F,           /* round to zero, all sticky flags set */
    0x0000,                             /* every exception traps */
};
#elif defined(__aarch64__)
static void set_mode(uint64_t mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode)); }
static uint64_t get_mode(void)
{
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
}
static const uint64_t modes[] = {1u << 24, 1u << 22, 2u << 22, (3u << 22) | (1u << 24)};  /* flush to zero; round up, down, to zero */
#endif

enum { mode_count = sizeof modes / sizeof *modes };

#endif
