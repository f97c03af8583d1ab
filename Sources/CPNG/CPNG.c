// SPDX-License-Identifier: Apache-2.0
#include "CPNG.h"
#include "chunks.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_error(png_structp png, png_const_charp text) {
    snprintf(png_get_error_ptr(png), NCPNG_MESSAGE_SIZE, "%s", text);
    longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp text) {
    (void)png, (void)text;
}

// libpng works with samples in the order of the file.
static void in_machine_order(png_structp png, int bit_depth) {
    if (bit_depth == 16 && (union { uint16_t number; uint8_t first; }){1}.first == 1) png_set_swap(png);
}

// ---- Reading

struct ncpng_reader {
    png_structp png;
    png_infop info;
    ncpng_header header;
    const uint8_t *next;
    size_t left;
    png_bytepp rows;
    struct ncpng_found found;
    const char *lost;
};

static void on_read(png_structp png, png_bytep out, size_t count) {
    ncpng_reader *reader = png_get_io_ptr(png);
    if (count > reader->left) png_error(png, "the file is truncated");
    memcpy(out, reader->next, count);
    reader->next += count;
    reader->left -= count;
}

// The chunks of metadata come here as they are: libpng would drop a profile that does not fit its idea of the picture.
static int on_chunk(png_structp png, png_unknown_chunkp chunk) {
    ncpng_reader *reader = png_get_user_chunk_ptr(png);
    if (memcmp(chunk->name, "cICP", 4) == 0) reader->lost = "colour space (cICP)";
    else if (!ncpng_take(&reader->found, chunk->name, chunk->data, chunk->size)) png_error(png, "out of memory");
    return 1;
}

// A chunk of its own counts before a raw profile.
static struct ncpng_payload kept(const ncpng_reader *reader, enum ncpng_kind kind) {
    return reader->found.own[kind].bytes ? reader->found.own[kind] : reader->found.raw[kind];
}

static void check_damage(ncpng_reader *reader) {
    static const char *const names[NCPNG_KINDS] = {"ICC profile", "Exif", "XMP"};
    for (int kind = 0; kind < NCPNG_KINDS; kind++) {
        if (reader->found.damaged[kind] && kept(reader, kind).bytes == NULL) reader->lost = names[kind];
    }
}

// A gamma that is neither that of sRGB, give or take, nor made void by a better description.
static void check_gamma(ncpng_reader *reader) {
    int intent;
    png_fixed_point gamma;
    if (reader->lost || kept(reader, NCPNG_ICC).bytes || png_get_sRGB(reader->png, reader->info, &intent)) return;
    if (png_get_gAMA_fixed(reader->png, reader->info, &gamma) && (gamma < 43000 || gamma > 48000)) reader->lost = "gamma";
}

ncpng_reader *ncpng_open(const void *data, size_t size, ncpng_header *header, char *message) {
    ncpng_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) goto out_of_memory;
    reader->next = data;
    reader->left = size;
    reader->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, message, on_error, on_warning);
    if (reader->png == NULL) goto out_of_memory;
    reader->info = png_create_info_struct(reader->png);
    if (reader->info == NULL) goto out_of_memory;
    if (setjmp(png_jmpbuf(reader->png))) {
        ncpng_close(reader);
        return NULL;
    }
    // The caller limits the number of pixels; libpng's own limit on each side would refuse long strips.
    png_set_user_limits(reader->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_chunk_malloc_max(reader->png, NCPNG_LARGEST_TEXT);
    png_set_keep_unknown_chunks(reader->png, PNG_HANDLE_CHUNK_ALWAYS, (png_const_bytep)"iCCP\0eXIf\0tEXt\0zTXt\0iTXt\0cICP\0", 6);
    png_set_read_user_chunk_fn(reader->png, reader, on_chunk);
    png_set_read_fn(reader->png, reader, on_read);
    png_read_info(reader->png, reader->info);

    const int colour_type = png_get_color_type(reader->png, reader->info), depth = png_get_bit_depth(reader->png, reader->info);
    const bool alpha = (colour_type & PNG_COLOR_MASK_ALPHA) || png_get_valid(reader->png, reader->info, PNG_INFO_tRNS);
    reader->header = (ncpng_header){
        .width = png_get_image_width(reader->png, reader->info),
        .height = png_get_image_height(reader->png, reader->info),
        .channels = ((colour_type & PNG_COLOR_MASK_COLOR) ? 3 : 1) + alpha,
        .bit_depth = depth == 16 ? 16 : 8,
    };
    *header = reader->header;
    return reader;

out_of_memory:
    snprintf(message, NCPNG_MESSAGE_SIZE, "out of memory");
    ncpng_close(reader);
    return NULL;
}

bool ncpng_read(ncpng_reader *reader, void *pixels, char *message) {
    png_set_error_fn(reader->png, message, on_error, on_warning);
    if (setjmp(png_jmpbuf(reader->png))) return false;
    const ncpng_header *header = &reader->header;
    png_set_expand(reader->png);
    in_machine_order(reader->png, header->bit_depth);
    png_set_interlace_handling(reader->png);
    png_read_update_info(reader->png, reader->info);

    const size_t row = (size_t)header->width * (size_t)(header->channels * header->bit_depth / 8);
    if (png_get_rowbytes(reader->png, reader->info) != row) png_error(reader->png, "the picture is of a kind this reader does not expand");
    reader->rows = malloc(header->height * sizeof *reader->rows);
    if (reader->rows == NULL) png_error(reader->png, "out of memory");
    for (uint32_t y = 0; y < header->height; y++) reader->rows[y] = (png_bytep)pixels + y * row;
    png_read_image(reader->png, reader->rows);
    png_read_end(reader->png, reader->info); // null would skip the chunks behind the pixels
    check_damage(reader);
    check_gamma(reader);
    return true;
}

ncpng_metadata ncpng_get_metadata(const ncpng_reader *reader) {
    const struct ncpng_payload icc = kept(reader, NCPNG_ICC), exif = kept(reader, NCPNG_EXIF), xmp = kept(reader, NCPNG_XMP);
    return (ncpng_metadata){icc.bytes, exif.bytes, xmp.bytes, icc.size, exif.size, xmp.size};
}

const char *ncpng_lost(const ncpng_reader *reader) { return reader->lost; }

void ncpng_close(ncpng_reader *reader) {
    if (reader == NULL) return;
    png_destroy_read_struct(&reader->png, &reader->info, NULL);
    free(reader->rows);
    ncpng_free_found(&reader->found);
    free(reader);
}

// ---- Writing

struct sink {
    uint8_t *data;
    size_t size, capacity;
};

static void on_write(png_structp png, png_bytep bytes, size_t count) {
    struct sink *sink = png_get_io_ptr(png);
    if (count > sink->capacity - sink->size) {
        size_t capacity = sink->capacity + sink->capacity / 2 + count + 65536;
        uint8_t *grown = realloc(sink->data, capacity);
        if (grown == NULL) png_error(png, "out of memory");
        sink->data = grown;
        sink->capacity = capacity;
    }
    memcpy(sink->data + sink->size, bytes, count);
    sink->size += count;
}

static void on_flush(png_structp png) {
    (void)png;
}

// Apart from ncpng_write, so that no local variable changes between setjmp and longjmp.
static bool write_into(struct sink *sink, png_structp png, png_infop info, const void *pixels, const ncpng_header *header, const struct ncpng_chunk *chunks) {
    static const int colour_types[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
    const size_t row = (size_t)header->width * (size_t)(header->channels * header->bit_depth / 8);
    if (setjmp(png_jmpbuf(png))) return false;
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_write_fn(png, sink, on_write, on_flush);
    png_set_IHDR(png, info, header->width, header->height, header->bit_depth, colour_types[header->channels - 1], PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int kind = 0; kind < NCPNG_KINDS; kind++) {
        if (chunks[kind].name) png_write_chunk(png, (png_const_bytep)chunks[kind].name, chunks[kind].content.bytes, chunks[kind].content.size);
    }
    in_machine_order(png, header->bit_depth);
    for (uint32_t y = 0; y < header->height; y++) png_write_row(png, (png_const_bytep)pixels + y * row);
    png_write_end(png, info);
    return true;
}

// False: out of memory.
static bool make_chunks(const ncpng_metadata *metadata, bool raw_profiles, struct ncpng_chunk *chunks) {
    const struct ncpng_payload contents[] = {{metadata->icc, metadata->icc_size}, {metadata->exif, metadata->exif_size}, {metadata->xmp, metadata->xmp_size}};
    for (int kind = 0; kind < NCPNG_KINDS; kind++) {
        if (contents[kind].size == 0) continue;
        chunks[kind] = ncpng_chunk(kind, raw_profiles, contents[kind].bytes, contents[kind].size);
        if (chunks[kind].content.bytes == NULL) return false;
    }
    return true;
}

bool ncpng_write(const void *pixels, const ncpng_header *header, const ncpng_metadata *metadata, bool raw_profiles, uint8_t **data, size_t *size, char *message) {
    struct sink sink = {0};
    struct ncpng_chunk chunks[NCPNG_KINDS] = {0};
    snprintf(message, NCPNG_MESSAGE_SIZE, "out of memory");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, message, on_error, on_warning);
    png_infop info = png == NULL ? NULL : png_create_info_struct(png);
    const bool written = info != NULL && make_chunks(metadata, raw_profiles, chunks) && write_into(&sink, png, info, pixels, header, chunks);
    png_destroy_write_struct(&png, &info);
    for (int kind = 0; kind < NCPNG_KINDS; kind++) free(chunks[kind].content.bytes);
    if (!written) {
        free(sink.data);
        return false;
    }
    *data = sink.data;
    *size = sink.size;
    return true;
}
