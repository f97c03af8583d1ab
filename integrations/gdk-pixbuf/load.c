/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading: the bytes are collected, and decoded when the last one has come. A pixbuf is RGB or RGBA of 8 bits: gray is spread over three channels, and the
 * library rounds 16-bit samples.
 */
#include <string.h>

#include "nic.h"

/* No file within the library's limits is larger: 2^28 pixels of 8 bytes stored as they are, three kinds of metadata, headers. */
static const gsize largest_file = ((gsize)1 << 28) * 8 + 3 * NC_METADATA_LIMIT + 65536;

typedef struct Load {
    GdkPixbufModuleSizeFunc size_func;
    GdkPixbufModulePreparedFunc prepared_func;
    GdkPixbufModuleUpdatedFunc updated_func;
    gpointer user_data;
    guchar *bytes;
    gsize used, capacity;
    gboolean failed;  /* an increment has: there is nothing to decode */
} Load;

gpointer nic_begin_load(GdkPixbufModuleSizeFunc size_func, GdkPixbufModulePreparedFunc prepared_func, GdkPixbufModuleUpdatedFunc updated_func,
                        gpointer user_data, GError **error)
{
    (void)error;
    Load *load = g_new0(Load, 1);
    load->size_func = size_func;
    load->prepared_func = prepared_func;
    load->updated_func = updated_func;
    load->user_data = user_data;
    return load;
}

gboolean nic_load_increment(gpointer context, const guchar *bytes, guint size, GError **error)
{
    Load *load = context;
    if (size > largest_file - load->used) {
        g_set_error(error, GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_CORRUPT_IMAGE, "NIC: the file is larger than %" G_GSIZE_FORMAT " bytes", largest_file);
        load->failed = TRUE;
        return FALSE;
    }
    if (size > load->capacity - load->used) {
        gsize capacity = MAX(load->used + size, 2 * load->capacity);
        guchar *larger = g_try_realloc(load->bytes, capacity);
        if (!larger) {
            g_set_error(error, GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_INSUFFICIENT_MEMORY, "NIC: no memory for a file of %" G_GSIZE_FORMAT " bytes", capacity);
            load->failed = TRUE;
            return FALSE;
        }
        load->bytes = larger;
        load->capacity = capacity;
    }
    memcpy(load->bytes + load->used, bytes, size);
    load->used += size;
    return TRUE;
}

/* Spreads rows of gray (1 byte a pixel) or gray and alpha (2) to RGB or RGBA, in place: from the right, where nothing is lost. */
static void spread_gray(GdkPixbuf *pixbuf)
{
    gboolean alpha = gdk_pixbuf_get_has_alpha(pixbuf);
    int width = gdk_pixbuf_get_width(pixbuf), height = gdk_pixbuf_get_height(pixbuf), stride = gdk_pixbuf_get_rowstride(pixbuf);
    gsize from = alpha ? 2 : 1, to = alpha ? 4 : 3;
    for (int y = 0; y < height; y++) {
        guchar *row = gdk_pixbuf_get_pixels(pixbuf) + (gsize)y * (gsize)stride;
        for (gsize x = (gsize)width; x-- > 0;) {
            guchar gray = row[x * from], opacity = row[x * from + from - 1];
            memset(row + x * to, gray, 3);
            if (alpha) row[x * to + 3] = opacity;
        }
    }
}

/* Options as gdk-pixbuf's own loaders name them. */
static void set_options(GdkPixbuf *pixbuf, const nc_info *info, const nc_metadata *metadata)
{
    if (metadata->icc_size > 0) {
        gchar *text = g_base64_encode(metadata->icc, metadata->icc_size);
        gdk_pixbuf_set_option(pixbuf, "icc-profile", text);
        g_free(text);
    }
    if (info->orientation > 1) {
        gchar text[] = {(gchar)('0' + info->orientation), '\0'};
        gdk_pixbuf_set_option(pixbuf, "orientation", text);
    }
}

/* A new pixbuf of the file's picture, or null with *error. */
static GdkPixbuf *decode(const Load *load, const nc_info *info, GError **error)
{
    nc_metadata metadata = {.struct_size = sizeof metadata};
    nc_status status = nc_read_metadata(load->bytes, load->used, &metadata);
    if (status != NC_OK) {
        nic_set_error(error, status);
        return NULL;
    }
    nc_decode_options options;
    nc_decode_options_init(&options);
    options.bit_depth = 8;
    /* Before the library does: pixbufs count in int, and their memory is taken first. */
    GdkPixbuf *pixbuf = NULL;
    if (info->width <= G_MAXINT && info->height <= options.limits.max_pixels / info->width)
        pixbuf = gdk_pixbuf_new(GDK_COLORSPACE_RGB, info->alpha, 8, (int)info->width, (int)info->height);
    if (!pixbuf) {
        g_set_error(error, GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_INSUFFICIENT_MEMORY,
                    "NIC: a picture of %" G_GSIZE_FORMAT " x %" G_GSIZE_FORMAT " pixels is too large", info->width, info->height);
        return NULL;
    }
    status = nc_decode_into(NULL, load->bytes, load->used, &options, gdk_pixbuf_get_pixels(pixbuf), gdk_pixbuf_get_byte_length(pixbuf),
                            (gsize)gdk_pixbuf_get_rowstride(pixbuf));
    if (status != NC_OK) {
        nic_set_error(error, status);
        g_object_unref(pixbuf);
        return NULL;
    }
    if (info->channels < 3) spread_gray(pixbuf);
    set_options(pixbuf, info, &metadata);
    return pixbuf;
}

/* Tells the size, and decodes if anyone wants the pixels. */
static gboolean finish(const Load *load, GError **error)
{
    nc_info info = {.struct_size = sizeof info};
    nc_status status = nc_read_info(load->bytes, load->used, &info);
    if (status != NC_OK) {
        nic_set_error(error, status);
        return FALSE;
    }
    int width = (int)MIN(info.width, G_MAXINT), height = (int)MIN(info.height, G_MAXINT);
    if (load->size_func) load->size_func(&width, &height, load->user_data);
    if (width == 0 || height == 0) return TRUE;  /* only the size was asked for */

    GdkPixbuf *pixbuf = decode(load, &info, error);
    if (!pixbuf) return FALSE;
    if (load->prepared_func) load->prepared_func(pixbuf, NULL, load->user_data);
    if (load->updated_func) load->updated_func(pixbuf, 0, 0, gdk_pixbuf_get_width(pixbuf), gdk_pixbuf_get_height(pixbuf), load->user_data);
    g_object_unref(pixbuf);
    return TRUE;
}

gboolean nic_stop_load(gpointer context, GError **error)
{
    Load *load = context;
    gboolean success = !load->failed && finish(load, error);
    g_free(load->bytes);
    g_free(load);
    return success;
}
