/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The closest points of the classical lattices and their coordinates: sixteen vectors at a time, one register a coordinate, whatever the lattice. A block that
 * is not full is filled up with zeros.
 */
#include "steps.h"
#include "scalar.h"
#include "columns.h"
#include "root_a.h"
#include "root_d.h"
#include "gosset.h"
#include "barnes_wall.h"
#include "leech.h"

/* t becomes the points, u their coordinates if `coordinates` is set. */
INLINE void nearest_of_sixteen(const nck_lattice kind, const size_t n, const root_a_frame *frame, vector *t, mask *u, int coordinates) {
    if (kind == NCK_LATTICE_AN) {
        root_a_nearest(frame, n, t, u);
        root_a_points(frame, n, u, t);
    } else if (kind == NCK_LATTICE_DN) {
        root_d_nearest(n, t);
        if (coordinates) root_d_coordinates(n, t, u);
    } else if (kind == NCK_LATTICE_E8) {
        gosset_nearest(t);
        if (coordinates) gosset_coordinates(t, u);
    } else if (kind == NCK_LATTICE_BW16) {
        barnes_wall_nearest(t);
        if (coordinates) barnes_wall_coordinates(t, u);
    } else if (kind == NCK_LATTICE_LEECH) {
        leech_nearest(t);
        if (coordinates) leech_coordinates(t, u);
    }
}

INLINE void points_of_sixteen(const nck_lattice kind, const size_t n, const root_a_frame *frame, const mask *u, vector *p) {
    if (kind == NCK_LATTICE_AN) root_a_points(frame, n, u, p);
    if (kind == NCK_LATTICE_DN) root_d_points(n, u, p);
    if (kind == NCK_LATTICE_E8) gosset_points(u, p);
    if (kind == NCK_LATTICE_BW16) barnes_wall_points(u, p);
    if (kind == NCK_LATTICE_LEECH) leech_points(u, p);
}

/* kind, and n where there is code for one dimension, are constants at every call. */
INLINE void nearest_in_blocks(const nck_lattice kind, const size_t n, float scale, const float *in, float *points, int32_t *coordinates, size_t count) {
    float values[NCK_LANES * NCK_MOST_LATTICE_DIMENSIONS], integers[NCK_LANES * NCK_MOST_LATTICE_DIMENSIONS]; // of the last block
    root_a_frame frame;
    if (kind == NCK_LATTICE_AN) root_a_make(&frame, n);
    for (size_t v = 0; v < count; v += NCK_LANES) {
        const size_t some = count - v < NCK_LANES ? count - v : NCK_LANES, start = v * n;
        const float *from = in + start;
        float *to = points ? points + start : NULL, *to_coordinates = coordinates ? (float *)(coordinates + start) : NULL;
        vector t[NCK_MOST_LATTICE_DIMENSIONS];
        mask u[NCK_MOST_LATTICE_DIMENSIONS];
        if (some < NCK_LANES) {
            memset(values, 0, NCK_LANES * n * sizeof *values);
            memcpy(values, from, some * n * sizeof *values);
            from = values;
            if (to) to = values;
            if (to_coordinates) to_coordinates = integers;
        }
        columns_of(n, from, t);
        for (size_t i = 0; i < n; i++) t[i] = bounded(t[i] / splat(scale));
        nearest_of_sixteen(kind, n, &frame, t, u, coordinates != NULL);
        if (to_coordinates) rows_of(n, (vector *)u, to_coordinates);
        if (to) {
            for (size_t i = 0; i < n; i++) t[i] = t[i] * splat(scale);
            rows_of(n, t, to);
        }
        if (some < NCK_LANES) {
            if (to) memcpy(points + start, values, some * n * sizeof *values);
            if (to_coordinates) memcpy(coordinates + start, integers, some * n * sizeof *integers);
        }
    }
}

INLINE void points_in_blocks(const nck_lattice kind, const size_t n, float scale, const int32_t *coordinates, float *points, size_t count) {
    float values[NCK_LANES * NCK_MOST_LATTICE_DIMENSIONS];
    root_a_frame frame;
    if (kind == NCK_LATTICE_AN) root_a_make(&frame, n);
    for (size_t v = 0; v < count; v += NCK_LANES) {
        const size_t some = count - v < NCK_LANES ? count - v : NCK_LANES, start = v * n;
        const float *from = (const float *)(coordinates + start);
        vector p[NCK_MOST_LATTICE_DIMENSIONS];
        mask u[NCK_MOST_LATTICE_DIMENSIONS];
        if (some < NCK_LANES) {
            memset(values, 0, NCK_LANES * n * sizeof *values);
            memcpy(values, from, some * n * sizeof *values);
            from = values;
        }
        columns_of(n, from, (vector *)u);
        points_of_sixteen(kind, n, &frame, u, p);
        for (size_t i = 0; i < n; i++) p[i] = p[i] * splat(scale);
        rows_of(n, p, some < NCK_LANES ? values : points + start);
        if (some < NCK_LANES) memcpy(points + start, values, some * n * sizeof *values);
    }
}

static void nearest(nck_lattice kind, size_t n, float scale, const float *in, float *points, int32_t *coordinates, size_t count) {
    if (kind == NCK_LATTICE_ZN) return scalar(&(nck_scalar){.step = scale}, in, points, coordinates, count * n);
    if (kind == NCK_LATTICE_AN && n == 2) return nearest_in_blocks(NCK_LATTICE_AN, 2, scale, in, points, coordinates, count);
    if (kind == NCK_LATTICE_AN) return nearest_in_blocks(NCK_LATTICE_AN, n, scale, in, points, coordinates, count);
    if (kind == NCK_LATTICE_DN && n == 4) return nearest_in_blocks(NCK_LATTICE_DN, 4, scale, in, points, coordinates, count);
    if (kind == NCK_LATTICE_DN) return nearest_in_blocks(NCK_LATTICE_DN, n, scale, in, points, coordinates, count);
    if (kind == NCK_LATTICE_E8) return nearest_in_blocks(NCK_LATTICE_E8, 8, scale, in, points, coordinates, count);
    if (kind == NCK_LATTICE_BW16) return nearest_in_blocks(NCK_LATTICE_BW16, 16, scale, in, points, coordinates, count);
    if (kind == NCK_LATTICE_LEECH) return nearest_in_blocks(NCK_LATTICE_LEECH, LEECH, scale, in, points, coordinates, count);
}

static void lattice_points(nck_lattice kind, size_t n, float scale, const int32_t *coordinates, float *points, size_t count) {
    if (kind == NCK_LATTICE_ZN) return scalar_points(&(nck_scalar){.step = scale}, coordinates, points, count * n);
    if (kind == NCK_LATTICE_AN && n == 2) return points_in_blocks(NCK_LATTICE_AN, 2, scale, coordinates, points, count);
    if (kind == NCK_LATTICE_AN) return points_in_blocks(NCK_LATTICE_AN, n, scale, coordinates, points, count);
    if (kind == NCK_LATTICE_DN && n == 4) return points_in_blocks(NCK_LATTICE_DN, 4, scale, coordinates, points, count);
    if (kind == NCK_LATTICE_DN) return points_in_blocks(NCK_LATTICE_DN, n, scale, coordinates, points, count);
    if (kind == NCK_LATTICE_E8) return points_in_blocks(NCK_LATTICE_E8, 8, scale, coordinates, points, count);
    if (kind == NCK_LATTICE_BW16) return points_in_blocks(NCK_LATTICE_BW16, 16, scale, coordinates, points, count);
    if (kind == NCK_LATTICE_LEECH) return points_in_blocks(NCK_LATTICE_LEECH, LEECH, scale, coordinates, points, count);
}
