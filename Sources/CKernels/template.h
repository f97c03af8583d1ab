/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels, written once. Each path (portable.c, avx2.c, avx512.c, neon.c) sets PATH, TILE_ROWS_n (positions held in registers beside n vectors
 * of output channels, 0: never), REGISTER_LANES (floats in a register, unless 4) and the target attribute, then includes this file.
 */
#include "kernels/vector.h"
#include "kernels/interleave.h"
#include "kernels/functions.h"
#include "kernels/elementwise.h"
#include "kernels/normalize.h"
#include "kernels/convolve.h"
#include "kernels/depthwise.h"
#include "kernels/attention.h"
#include "kernels/quantize.h"
#include "kernels/lattice.h"
#include "kernels/layout.h"
#include "kernels/picture.h"
#include "kernels/quantizers/nearest.h"
#include "kernels/quantizers/codebook.h"

const nck_kernels PATH = {
    .name = PATH_NAME,
    .convolve = convolve,
    .depthwise = depthwise,
    .activate = activate,
    .scale = scale,
    .square = square,
    .add = add,
    .gate = gate,
    .layer_norm = layer_norm,
    .softmax = softmax,
    .attention = attention,
    .parameters = parameters,
    .quantize = quantize,
    .reconstruct = reconstruct,
    .quantize_hyper = quantize_hyper,
    .reconstruct_hyper = reconstruct_hyper,
    .patches = patches,
    .pixels = pixels,
    .pixels_to_map = pixels_to_map,
    .map_to_pixels = map_to_pixels,
    .patches_16 = patches_16,
    .pixels_16 = pixels_16,
    .pixels_to_map_16 = pixels_to_map_16,
    .map_to_pixels_16 = map_to_pixels_16,
    .pixel_shuffle = pixel_shuffle,
    .pixel_unshuffle = pixel_unshuffle,
    .lattice_transform = lattice_transform,
    .babai_round = babai_round,
    .quantizers = {.scalar = scalar, .scalar_points = scalar_points, .nearest = nearest, .lattice_points = lattice_points, .codebook = codebook},
};
