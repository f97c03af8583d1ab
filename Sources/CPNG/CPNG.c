// SPDX-License-Identifier: Apache-2.0
#include "CPNG.h"

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

// ---- Reading

struct ncpng_reader {
    png_structp png;
    png_infop info;
    ncpng_header header;
    const uint8_t *next;
    size_t left;
    png_bytepp rows;
};

static void on_read(png_structp png, png_bytep out, size_t count) {
    ncpng_reader *reader = png_get_io_ptr(png);
    if (count > reader->left) png_error(png, "the file is truncated");
    memcpy(out, reader->next, count);
    reader->next += count;
    reader->left -= count;
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
    png_set_read_fn(reader->png, reader, on_read);
    png_read_info(reader->png, reader->info);

    int colour_type = png_get_color_type(reader->png, reader->info);
    reader->header = (ncpng_header){
        .width = png_get_image_width(reader->png, reader->info),
        .height = png_get_image_height(reader->png, reader->info),
        .channels = (colour_type & PNG_COLOR_MASK_COLOR) ? 3 : 1,
        .bit_depth = png_get_bit_depth(reader->png, reader->info),
        .alpha = (colour_type & PNG_COLOR_MASK_ALPHA) != 0,
        .transparency = png_get_valid(reader->png, reader->info, PNG_INFO_tRNS) != 0,
        .colour_profile = png_get_valid(reader->png, reader->info, PNG_INFO_iCCP) != 0,
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
    png_set_palette_to_rgb(reader->png);
    png_set_expand_gray_1_2_4_to_8(reader->png);
    png_set_interlace_handling(reader->png);
    png_read_update_info(reader->png, reader->info);

    size_t row = (size_t)reader->header.width * (size_t)reader->header.channels;
    if (png_get_rowbytes(reader->png, reader->info) != row) png_error(reader->png, "the picture is of a kind this reader does not expand");
    reader->rows = malloc(reader->header.height * sizeof *reader->rows);
    if (reader->rows == NULL) png_error(reader->png, "out of memory");
    for (uint32_t y = 0; y < reader->header.height; y++) reader->rows[y] = (png_bytep)pixels + y * row;
    png_read_image(reader->png, reader->rows);
    png_read_end(reader->png, NULL);
    return true;
}

void ncpng_close(ncpng_reader *reader) {
    if (reader == NULL) return;
    png_destroy_read_struct(&reader->png, &reader->info, NULL);
    free(reader->rows);
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
static bool write_into(struct sink *sink, png_structp png, png_infop info, const void *pixels, uint32_t width, uint32_t height, int channels) {
    if (setjmp(png_jmpbuf(png))) return false;
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_write_fn(png, sink, on_write, on_flush);
    png_set_IHDR(png, info, width, height, 8, channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (uint32_t y = 0; y < height; y++) png_write_row(png, (png_const_bytep)pixels + (size_t)y * width * (size_t)channels);
    png_write_end(png, info);
    return true;
}

bool ncpng_write(const void *pixels, uint32_t width, uint32_t height, int channels, uint8_t **data, size_t *size, char *message) {
    struct sink sink = {0};
    snprintf(message, NCPNG_MESSAGE_SIZE, "out of memory");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, message, on_error, on_warning);
    png_infop info = png == NULL ? NULL : png_create_info_struct(png);
    bool written = info != NULL && write_into(&sink, png, info, pixels, width, height, channels);
    png_destroy_write_struct(&png, &info);
    if (!written) {
        free(sink.data);
        return false;
    }
    *data = sink.data;
    *size = sink.size;
    return true;
}
