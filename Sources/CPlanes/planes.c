// SPDX-License-Identifier: Apache-2.0
// Samples from place to place.
#include "rows.h"
#include <string.h>

// round(v * 255 / 65535), which has no ties.
static uint8_t narrow(uint32_t v) { return (uint8_t)((v * 255 + 32895) >> 16); }

void ncl_take_row(const ncl_source *source, size_t y, uint8_t *out) {
    const uint8_t *from = source->first + y * source->stride;
    if (source->sample_bytes == 1)
        for (size_t x = 0; x < source->width; x++) out[x] = from[x * source->step];
    else
        for (size_t x = 0; x < source->width; x++, from += source->step) out[2 * x] = from[1], out[2 * x + 1] = from[0];
}

void ncl_put_row(const uint8_t *row, const ncl_target *target, size_t y) {
    uint8_t *to = target->first + y * target->stride;
    if (target->sample_bytes == 1)
        for (size_t x = 0; x < target->width; x++) to[x * target->step] = row[x];
    else if (target->target_bytes == 2)
        for (size_t x = 0; x < target->width; x++, to += target->step) to[0] = row[2 * x + 1], to[1] = row[2 * x];
    else
        for (size_t x = 0; x < target->width; x++) to[x * target->step] = narrow((uint32_t)row[2 * x] << 8 | row[2 * x + 1]);
}

bool ncl_is_constant(const ncl_source *source) {
    for (size_t y = 0; y < source->height; y++) {
        const uint8_t *row = source->first + y * source->stride;
        for (size_t x = 0; x < source->width; x++)
            for (size_t i = 0; i < source->sample_bytes; i++)
                if (row[x * source->step + i] != source->first[i]) return false;
    }
    return true;
}

void ncl_write_samples(const ncl_source *source, uint8_t *out) {
    for (size_t y = 0; y < source->height; y++, out += source->width * source->sample_bytes) ncl_take_row(source, y, out);
}

void ncl_read_samples(const uint8_t *samples, const ncl_target *target) {
    for (size_t y = 0; y < target->height; y++, samples += target->width * target->sample_bytes) ncl_put_row(samples, target, y);
}

void ncl_read_constant(const uint8_t *sample, const ncl_target *target) {
    const uint32_t wide = (uint32_t)sample[0] << 8 | sample[target->sample_bytes - 1];
    const bool narrowed = target->sample_bytes > target->target_bytes;
    const uint8_t bytes[2] = {narrowed ? narrow(wide) : sample[target->sample_bytes - 1], sample[0]};
    for (size_t y = 0; y < target->height; y++)
        for (size_t x = 0; x < target->width; x++) memcpy(target->first + y * target->stride + x * target->step, bytes, target->target_bytes);
}

void ncl_copy_groups(uint8_t *to, size_t to_step, const uint8_t *from, size_t from_step, size_t bytes, size_t count) {
    if (to_step == bytes && from_step == bytes) {
        memcpy(to, from, bytes * count);
        return;
    }
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < bytes; k++) to[i * to_step + k] = from[i * from_step + k];
}

void ncl_narrow(uint8_t *to, size_t to_step, const uint8_t *from, size_t colours, size_t count) {
    for (size_t i = 0; i < count; i++, to += to_step)
        for (size_t k = 0; k < colours; k++, from += 2) to[k] = narrow((uint32_t)from[1] << 8 | from[0]);
}
