/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saving, with the options "quality" (0...100, 75 if not given) and "icc-profile" (base64).
 */
#include "nic.h"

/* Reads the options; *profile receives memory for g_free, or null. */
static gboolean read_options(gchar **keys, gchar **values, nc_encode_options *options, guchar **profile, nc_metadata *metadata, GError **error)
{
    for (; keys && *keys; keys++, values++) {
        if (g_str_equal(*keys, "quality")) {
            gchar *end;
            options->quality = g_ascii_strtod(*values, &end);
            if (end != *values && *end == '\0' && options->quality >= 0 && options->quality <= 100) continue;
            g_set_error(error, GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_BAD_OPTION, "NIC: the quality \"%s\" is not a number from 0 to 100", *values);
            return FALSE;
        }
        if (g_str_equal(*keys, "icc-profile")) {
            g_free(*profile);
            *profile = g_base64_decode(*values, &metadata->icc_size);
            metadata->icc = *profile;
            if (metadata->icc_size > 0) continue;
            g_set_error_literal(error, GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_BAD_OPTION, "NIC: the option icc-profile is not a profile in base64");
            return FALSE;
        }
        g_set_error(error, GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_BAD_OPTION, "NIC: there is no option \"%s\"", *keys);
        return FALSE;
    }
    return TRUE;
}

gboolean nic_save(GdkPixbufSaveFunc save_func, gpointer user_data, GdkPixbuf *pixbuf, gchar **keys, gchar **values, GError **error)
{
    nc_metadata metadata = {.struct_size = sizeof metadata};
    nc_encode_options options;
    nc_encode_options_init(&options);
    options.metadata = &metadata;
    guchar *profile = NULL;
    gboolean success = read_options(keys, values, &options, &profile, &metadata, error);
    if (success) {
        nc_image image = {.pixels = gdk_pixbuf_read_pixels(pixbuf), .width = (gsize)gdk_pixbuf_get_width(pixbuf), .height = (gsize)gdk_pixbuf_get_height(pixbuf),
                          .channels = (gsize)gdk_pixbuf_get_n_channels(pixbuf), .stride = (gsize)gdk_pixbuf_get_rowstride(pixbuf)};
        uint8_t *file = NULL;
        size_t size = 0;
        nc_status status = nc_encode(NULL, &image, &options, &file, &size, NULL);
        success = status == NC_OK;
        if (success) success = save_func((const gchar *)file, size, error, user_data);
        else nic_set_error(error, status);
        nc_free(file);
    }
    g_free(profile);
    return success;
}
