/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a GTK program does with pictures, for test_gdk_pixbuf.py:
 *     pixbuf size FILE                     "WIDTH HEIGHT FORMAT MIME-TYPE WRITABLE"
 *     pixbuf load FILE                     a line "WIDTH HEIGHT CHANNELS ORIENTATION PROFILE" ("-" for what is not there), then the pixels
 *     pixbuf chunks BYTES FILE             the same, with a GdkPixbufLoader that gets the file in pieces
 *     pixbuf scaled WIDTH FILE             the same, not wider than that
 *     pixbuf threads COUNT FILE            loads it in so many threads at once, and says "same" if all have the same pixels
 *     pixbuf save FROM TO [KEY VALUE]...   saves as .nic
 * An error is "CODE: MESSAGE" on standard error, CODE that of GdkPixbufError, with exit code 1.
 */
#include <gdk-pixbuf/gdk-pixbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void end_with(const GError *error)
{
    fprintf(stderr, "%d: %s\n", error->domain == GDK_PIXBUF_ERROR ? error->code : -1, error->message);
    exit(1);
}

static int print(GdkPixbuf *pixbuf, GError **error)
{
    if (!pixbuf) end_with(*error);
    int width = gdk_pixbuf_get_width(pixbuf), height = gdk_pixbuf_get_height(pixbuf), channels = gdk_pixbuf_get_n_channels(pixbuf);
    const char *orientation = gdk_pixbuf_get_option(pixbuf, "orientation"), *profile = gdk_pixbuf_get_option(pixbuf, "icc-profile");
    printf("%d %d %d %s %s\n", width, height, channels, orientation ? orientation : "-", profile ? profile : "-");
    for (int y = 0; y < height; y++) {
        const guint8 *row = gdk_pixbuf_read_pixels(pixbuf) + (size_t)y * (size_t)gdk_pixbuf_get_rowstride(pixbuf);
        fwrite(row, (size_t)channels, (size_t)width, stdout);
    }
    g_object_unref(pixbuf);
    return 0;
}

static int print_size(const char *path)
{
    int width = 0, height = 0;
    GdkPixbufFormat *format = gdk_pixbuf_get_file_info(path, &width, &height);
    if (!format) return 1;
    char *name = gdk_pixbuf_format_get_name(format), **types = gdk_pixbuf_format_get_mime_types(format);
    printf("%d %d %s %s %d\n", width, height, name, types[0], gdk_pixbuf_format_is_writable(format));
    g_free(name);
    g_strfreev(types);
    return 0;
}

static int load_in_chunks(gsize piece, const char *path)
{
    char *bytes;
    gsize size;
    GError *error = NULL;
    if (!g_file_get_contents(path, &bytes, &size, &error)) end_with(error);
    GdkPixbufLoader *loader = gdk_pixbuf_loader_new();
    for (gsize at = 0; at < size; at += piece)
        if (!gdk_pixbuf_loader_write(loader, (guchar *)bytes + at, MIN(piece, size - at), &error)) end_with(error);
    if (!gdk_pixbuf_loader_close(loader, &error)) end_with(error);
    print(g_object_ref(gdk_pixbuf_loader_get_pixbuf(loader)), NULL);
    g_object_unref(loader);
    g_free(bytes);
    return 0;
}

static gpointer load_in_thread(gpointer path)
{
    GError *error = NULL;
    GdkPixbuf *pixbuf = gdk_pixbuf_new_from_file(path, &error);
    if (!pixbuf) end_with(error);
    return pixbuf;
}

static int load_in_threads(int count, char *path)
{
    GThread **threads = g_new(GThread *, count);
    for (int i = 0; i < count; i++) threads[i] = g_thread_new("load", load_in_thread, path);
    GBytes *first = NULL;
    gboolean same = TRUE;
    for (int i = 0; i < count; i++) {
        GdkPixbuf *pixbuf = g_thread_join(threads[i]);
        GBytes *pixels = gdk_pixbuf_read_pixel_bytes(pixbuf);
        if (!first) first = g_bytes_ref(pixels);
        same = same && g_bytes_equal(first, pixels);
        g_bytes_unref(pixels);
        g_object_unref(pixbuf);
    }
    if (first) g_bytes_unref(first);
    g_free(threads);
    puts(same ? "same" : "different");
    return !same;
}

static int save(const char *from, const char *to, char **options)
{
    GError *error = NULL;
    GdkPixbuf *pixbuf = gdk_pixbuf_new_from_file(from, &error);
    if (!pixbuf) end_with(error);
    char *keys[16] = {0}, *values[16] = {0};
    for (int i = 0; options[2 * i] && i < 15; i++) {
        keys[i] = options[2 * i];
        values[i] = options[2 * i + 1];
    }
    if (!gdk_pixbuf_savev(pixbuf, to, "nic", keys, values, &error)) end_with(error);
    g_object_unref(pixbuf);
    return 0;
}

int main(int count, char **arguments)
{
    const char *verb = count > 2 ? arguments[1] : "";
    GError *error = NULL;
    if (!strcmp(verb, "size")) return print_size(arguments[2]);
    if (!strcmp(verb, "load")) return print(gdk_pixbuf_new_from_file(arguments[2], &error), &error);
    if (!strcmp(verb, "chunks") && count == 4) return load_in_chunks((gsize)atol(arguments[2]), arguments[3]);
    if (!strcmp(verb, "scaled") && count == 4) return print(gdk_pixbuf_new_from_file_at_size(arguments[3], atoi(arguments[2]), -1, &error), &error);
    if (!strcmp(verb, "threads") && count == 4) return load_in_threads(atoi(arguments[2]), arguments[3]);
    if (!strcmp(verb, "save") && count >= 4) return save(arguments[2], arguments[3], arguments + 4);
    return 2;
}
