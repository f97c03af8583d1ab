/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples of pictures that are kept without loss: an alpha channel as bytes and back, colours between interleaved pixels and rows without gaps. docs/format.md,
 * sections 1 and 5, describes the bytes. Samples have 1 byte, or 2 in the machine's order (little-endian: the kernels are built for no other), and are
 * not necessarily aligned.
 */
#ifndef CPLANES_H
#define CPLANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ncl_status { NCL_OK, NCL_NO_ROOM, NCL_OUT_OF_MEMORY, NCL_DAMAGED } ncl_status;

/* One channel within interleaved pixels. */
typedef struct ncl_source {
    const uint8_t *first;        /* its first sample */
    size_t step, stride;         /* bytes from one sample to the next, and from row to row */
    size_t width, height;
    size_t sample_bytes;         /* 1 or 2 */
} ncl_source;

/* The same to be written. Samples of 2 bytes come as one where target_bytes says so, scaled and rounded. */
typedef struct ncl_target {
    uint8_t *first;
    size_t step, stride;
    size_t width, height;
    size_t sample_bytes, target_bytes;
} ncl_target;

/* Whether all samples are equal. */
bool ncl_is_constant(const ncl_source *source);
/* All samples, rows without gaps, the most significant byte first: width * height * sample_bytes. */
void ncl_write_samples(const ncl_source *source, uint8_t *out);
/* Scanlines of PNG in a zlib stream: with the filter that makes small differences, chosen row by row, or unfiltered. The same bytes on every machine.
 * NCL_NO_ROOM: they are more than `capacity`. */
ncl_status ncl_deflate(const ncl_source *source, bool filtered, uint8_t *out, size_t capacity, size_t *size);

/* The ways back. `sample` and `samples` have the most significant byte first. */
void ncl_read_constant(const uint8_t *sample, const ncl_target *target);
void ncl_read_samples(const uint8_t *samples, const ncl_target *target);
/* NCL_DAMAGED: no stream of exactly these scanlines, and nothing behind it. Needs two rows and 64 KiB of memory, whatever the stream says. */
ncl_status ncl_inflate(const uint8_t *data, size_t size, const ncl_target *target);

/* Copies `count` groups of `bytes` bytes (1 to 6), which lie to_step and from_step bytes apart. */
void ncl_copy_groups(uint8_t *to, size_t to_step, const uint8_t *from, size_t from_step, size_t bytes, size_t count);
/* `count` pixels of `colours` samples of 2 bytes without gaps to samples of 1 byte, scaled and rounded; pixels are to_step bytes apart. */
void ncl_narrow(uint8_t *to, size_t to_step, const uint8_t *from, size_t colours, size_t count);

#endif
