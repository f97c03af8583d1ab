// SPDX-License-Identifier: Apache-2.0
// A second decoder of .nic files, and the floating-point part of an encoder, written from docs/format.md alone. Comments name the
// sections of that page.
#ifndef NICREF_H
#define NICREF_H

#include <float.h>
#include <stddef.h>
#include <stdint.h>

#if FLT_EVAL_METHOD != 0
#error "annex A needs + - * / that round to binary32 each time"
#endif

// support.c: errors, memory, bytes, checksums, files.
_Noreturn void fail(const char *message);   // one line to stderr, everything freed, exit status 1
void *take(size_t count, size_t size);      // zeroed memory; fails instead of returning NULL
void drop(void *memory);                    // gives it back early
void drop_all(void);                        // gives back what remains
uint64_t little_endian(const uint8_t *bytes, int count);
uint32_t crc32c(uint32_t crc, const uint8_t *bytes, size_t count);  // start with 0; may be continued
uint8_t *read_file(const char *path, size_t *size);
void write_file(const char *path, const char *header, const void *bytes, size_t count);  // the header's text goes before the bytes

// Rows from top to bottom, channels interleaved: gray (1), gray and alpha (2), RGB (3), RGB and alpha (4), of 8 or 16 bits.
typedef struct {
    uint32_t width, height, channels, bits;
    uint16_t *samples;
} Picture;

static inline uint32_t colours_of(Picture picture) { return picture.channels < 3 ? 1 : 3; }
static inline size_t pixel_count(Picture picture) { return (size_t)picture.width * picture.height; }
static inline float full_of(Picture picture) { return picture.bits == 8 ? 255.0f : 65535.0f; }

// picture.c: binary PPM, PGM and PAM files
Picture read_picture(const char *path);
void write_picture(const char *path, Picture picture);
void check_size(uint32_t width, uint32_t height);  // fails for a picture that is too large for this program

// A code table (section 3): the integers offset ... offset + length - 1, then the escape.
// Symbol number i has the cumulative frequencies start[i] ... start[i + 1] - 1.
typedef struct {
    int32_t offset, length;
    uint32_t *start;
} Table;

// A tensor of a model file (section 2). F32 and F16 fill `values`, I32 and U16 fill `integers`.
typedef struct {
    const char *name, *type;
    int rank;
    int64_t sides[4];
    size_t count, size;    // elements, bytes
    const uint8_t *data;
    float *values;
    int32_t *integers;
} Tensor;

typedef struct {
    Tensor *tensors;       // in ascending byte order of the names
    size_t tensor_count;
    uint8_t hash[32];
    char id[9];
    int latent, core, hyper, context, hidden, render;  // channels: M, N, H, C, F, R
    int analysis_blocks, synthesis_blocks, render_blocks, knots;
    int synthesis_mix;     // inner width of the second branch of a synthesis block
    int separable_hidden;
    int scale_count;       // S
    const float *thresholds;
    Table *gaussian;       // one a scale
    Table *prior;          // one a channel of the hyperlatents
} Model;

// model.c
Model *load_model(const uint8_t *file, size_t size);
const Tensor *find_tensor(const Model *model, const char *name, const char *types, int rank, const int64_t *sides);
const float *weights(const Model *model, const char *name, int d0, int d1, int d2, int d3);  // sides of 0 are absent

// entropy.c
typedef struct {
    uint64_t state[4];
    const uint8_t *word, *end;
    uint64_t symbols;      // decoded so far
    uint32_t crc;          // of those
} Entropy;

void entropy_start(Entropy *entropy, const uint8_t *payload, size_t size);
int32_t entropy_symbol(Entropy *entropy, const Table *table);
void entropy_finish(const Entropy *entropy, uint32_t crc);

// Section 5.

// alpha.c: fills the last channel of the picture from the payload of its ALPH chunk.
void decode_alpha(const uint8_t *payload, size_t size, Picture picture);

// inflate.c: a zlib stream of `size` bytes that gives exactly `count`.
void inflate_exactly(const uint8_t *stream, size_t size, uint8_t *out, size_t count);

// Section 4.

// network.c: fills the colours of the picture.
void decode_neural(const Model *model, Entropy *entropy, uint32_t rate, uint32_t crc, Picture picture);

typedef struct {
    float *latents;        // before the gain: [row][column][channel]
    size_t latent_count;
    int32_t *symbols;      // in coding order
    size_t symbol_count;
} Encoding;

// analysis.c
Encoding encode_neural(const Model *model, uint32_t rate, Picture picture);

#endif
