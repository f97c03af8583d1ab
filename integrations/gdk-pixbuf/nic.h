/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the loader share. The functions are those of a GdkPixbufModule; gdk-pixbuf calls them from any thread. */
#ifndef NIC_H
#define NIC_H

#define GDK_PIXBUF_ENABLE_BACKEND
#include <gdk-pixbuf/gdk-pixbuf.h>
#include <neuralcodec.h>

gpointer nic_begin_load(GdkPixbufModuleSizeFunc size_func, GdkPixbufModulePreparedFunc prepared_func, GdkPixbufModuleUpdatedFunc updated_func,
                        gpointer user_data, GError **error);
gboolean nic_load_increment(gpointer context, const guchar *bytes, guint size, GError **error);
gboolean nic_stop_load(gpointer context, GError **error);

gboolean nic_save(GdkPixbufSaveFunc save_func, gpointer user_data, GdkPixbuf *pixbuf, gchar **keys, gchar **values, GError **error);

void nic_set_error(GError **error, nc_status status);

#endif
