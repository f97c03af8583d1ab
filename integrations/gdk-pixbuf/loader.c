/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loader module of gdk-pixbuf: GTK programs and thumbnailers open .nic files. The module's two entry points and what they announce.
 */
#include "nic.h"

static gboolean is_save_option_supported(const gchar *key)
{
    return g_str_equal(key, "quality") || g_str_equal(key, "icc-profile");
}

G_MODULE_EXPORT void fill_vtable(GdkPixbufModule *module)
{
    module->begin_load = nic_begin_load;
    module->load_increment = nic_load_increment;
    module->stop_load = nic_stop_load;
    module->save_to_callback = nic_save;
    module->is_save_option_supported = is_save_option_supported;
}

G_MODULE_EXPORT void fill_info(GdkPixbufFormat *info)
{
    static GdkPixbufModulePattern signature[] = {{"\x8eNIC\r\n\x1a\n", NULL, 100}, {NULL, NULL, 0}};
    static gchar *mime_types[] = {"image/x-nic", NULL};
    static gchar *extensions[] = {"nic", NULL};
    info->name = "nic";
    info->signature = signature;
    info->description = "NIC picture";
    info->mime_types = mime_types;
    info->extensions = extensions;
    info->flags = GDK_PIXBUF_FORMAT_WRITABLE | GDK_PIXBUF_FORMAT_THREADSAFE;
    info->license = "Apache-2.0";
}

/* Gives *error what the library's last call on this thread said. */
void nic_set_error(GError **error, nc_status status)
{
    GdkPixbufError code = GDK_PIXBUF_ERROR_FAILED;
    switch (status) {
    case NC_BAD_STREAM:
    case NC_DECODER_MISMATCH: code = GDK_PIXBUF_ERROR_CORRUPT_IMAGE; break;
    case NC_OUT_OF_MEMORY:
    case NC_LIMIT_EXCEEDED: code = GDK_PIXBUF_ERROR_INSUFFICIENT_MEMORY; break;
    case NC_INVALID_ARGUMENT: code = GDK_PIXBUF_ERROR_BAD_OPTION; break;
    case NC_UNSUPPORTED: code = GDK_PIXBUF_ERROR_UNKNOWN_TYPE; break;
    default: break;
    }
    g_set_error(error, GDK_PIXBUF_ERROR, code, "NIC: %s", nc_last_error());
}
