/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libneuralcodec: a learned image codec behind a plain C interface. This file is the contract; every other document follows it.
 *
 *     uint8_t *file; size_t size;
 *     nc_image image = {.pixels = rgb, .width = w, .height = h, .channels = 3};
 *     if (nc_encode(NULL, &image, NULL, &file, &size, NULL) != NC_OK) puts(nc_last_error());
 *     ...
 *     nc_free(file);
 *
 * Rules that hold for every function:
 *  - Errors: a call returns nc_status, NC_OK (0) on success. After a failure nc_last_error() holds one sentence that names what was wrong,
 *    for the calling thread, until that thread's next call. A failed call leaves its output arguments untouched. Nothing prints, aborts or exits.
 *  - Memory: the caller owns what it passes in, and it is only read during the call. What a function allocates is freed with nc_free (memory)
 *    or the matching close call (handles). Every buffer that depends on the input comes from the allocator of nc_set_allocator and may fail with
 *    NC_OUT_OF_MEMORY.
 *  - Threads: every function may be called from any thread at any time, unless it says otherwise. A model is immutable and may be used by many
 *    calls at once. The library keeps no threads between calls, so it works in a fork()ed child.
 *  - Determinism: the same input, model and options give the same bytes, and the same file the same pixels, on every machine, with any thread
 *    count, and whatever floating-point mode the caller has set (it is saved and restored).
 *  - Structures begin with their size: set it with the init function (or to sizeof). Members are only ever added at the end, and their default is
 *    zero. The size that a structure had in an earlier version stays valid: its missing members have their defaults, or are not filled. Any other
 *    size is NC_INVALID_ARGUMENT. An init function fills the structure of the library that runs, so that one must not be newer than the header by
 *    more than the patch number. nc_image is fixed and has no size.
 */
#ifndef NEURALCODEC_H
#define NEURALCODEC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) || defined(__clang__)
#define NC_MUST_USE __attribute__((warn_unused_result))
#else
#define NC_MUST_USE
#endif

/* ---- Version, CPU, errors ------------------------------------------------------------------------------------------------------------ */

#define NC_VERSION_MAJOR 0
#define NC_VERSION_MINOR 1
#define NC_VERSION_PATCH 0

/* Outcome of a call. The numbers are frozen. */
typedef enum nc_status {
    NC_OK = 0,
    NC_INVALID_ARGUMENT = 1,   /* caller misuse: a null pointer, a value out of range, two rate targets at once */
    NC_OUT_OF_MEMORY = 2,      /* the allocator returned null */
    NC_LIMIT_EXCEEDED = 3,     /* more pixels or working memory than the options allow; the message gives the number needed */
    NC_CANCELLED = 4,          /* the progress callback asked to stop */
    NC_BAD_STREAM = 5,         /* not a .nic file, or damaged, or truncated */
    NC_UNSUPPORTED = 6,        /* valid, but of a kind this version does not handle (a newer format) */
    NC_MODEL_NOT_FOUND = 7,    /* the model named by the file or the caller is not here, or the one given is not the one the file needs */
    NC_BAD_MODEL = 8,          /* the model file is damaged or of an unknown architecture */
    NC_TARGET_UNREACHABLE = 9, /* no quality meets the target size or PSNR; the message and nc_encode_result give the nearest that can be had */
    NC_BUFFER_TOO_SMALL = 10,  /* the caller's pixel buffer or stride does not hold the picture */
    NC_CPU_UNSUPPORTED = 11,   /* NEURALCODEC_ISA names an unknown instruction set or one this CPU lacks */
    NC_DECODER_MISMATCH = 12,  /* the file is intact but decoded to other symbols than were encoded: a defect, please report it */
    NC_INTERNAL = 13           /* a defect of the library */
} nc_status;

/* "MAJOR.MINOR.PATCH" of the library at run time. Static storage. */
const char *nc_version(void);

/* One line on what the library uses on this CPU: the instruction-set path ("avx512", "avx2", "neon" or "portable") and the number of logical cores,
 * for instance "avx512, 8 cores". With an invalid NEURALCODEC_ISA: "unsupported". Static storage. */
const char *nc_cpu_info(void);

/* Short English name of a status, for instance "bad stream"; "unknown status" for other numbers. Static storage. */
const char *nc_status_string(nc_status status);

/* What went wrong in this thread's last call that returned nc_status; "" if it succeeded. Valid until this thread's next call. Never null. */
const char *nc_last_error(void);

/* ---- Memory -------------------------------------------------------------------------------------------------------------------------- */

/* Allocator of all buffers of the library, 64-byte alignment not required (the library aligns). Both functions or neither. */
typedef struct nc_allocator {
    size_t struct_size;
    void *(*allocate)(void *user, size_t size);      /* null when there is no memory; may be called from any thread of the library */
    void (*deallocate)(void *user, void *pointer);   /* never called with null */
    void *user;
} nc_allocator;

/* Replaces the allocator for the whole process; null restores malloc and free. Not thread-safe: call it before anything else. */
NC_MUST_USE nc_status nc_set_allocator(const nc_allocator *allocator);

/* Frees memory that the library returned. Accepts null. */
void nc_free(void *pointer);

/* ---- Models -------------------------------------------------------------------------------------------------------------------------- */

/* A trained network with its coding tables. Immutable, shareable between threads. */
typedef struct nc_model nc_model;

typedef struct nc_model_info {
    size_t struct_size;
    const char *id;            /* short name that files carry, at most 8 ASCII characters; owned by the model */
    const char *architecture;  /* family, for instance "patch-checkerboard"; owned by the model */
    const char *description;   /* one line: training data and its terms; owned by the model; may be "" */
    uint8_t hash[32];          /* SHA-256 over names, shapes, weights, tables and hyperparameters; files carry the first 8 bytes */
    uint64_t parameters;       /* number of weights */
    int variable_rate;         /* 1: quality 0...100 selects the rate; 0: one fixed quality */
} nc_model_info;

/* Opens the default model, which is part of the library. Opening it again is cheap: the model is loaded once a process.
 * *model receives a handle for nc_model_close. */
NC_MUST_USE nc_status nc_model_open_default(nc_model **model);

/* Opens a model by name or path: "default", the path of a .safetensors file, or an id that is looked up as ID.safetensors in the folders of
 * NEURALCODEC_MODEL_PATH (colon-separated), then in PREFIX/share/neuralcodec/models. */
NC_MUST_USE nc_status nc_model_open(const char *name_or_path, nc_model **model);

/* Opens a model from the bytes of a .safetensors file. The bytes are copied. */
NC_MUST_USE nc_status nc_model_open_memory(const void *data, size_t size, nc_model **model);

/* Fills *info, whose struct_size the caller has set. The strings live as long as the model. model null: the default model. */
NC_MUST_USE nc_status nc_model_get_info(const nc_model *model, nc_model_info *info);

/* Closes the handle and sets it to null. Accepts null and a null handle. Calls that are still using the model finish undisturbed. */
void nc_model_close(nc_model **model);

/* ---- Pictures ------------------------------------------------------------------------------------------------------------------------ */

/* Pixels, rows from top to bottom, channels interleaved. A sample is a byte, or, with 16 bits (nc_encode_options.bit_depth), a uint16_t in the machine's byte
 * order, which need not be aligned; 0 is black or transparent, 255 or 65535 is white or opaque. Colours are coded as they are given: they are sRGB unless the
 * metadata has an ICC profile, which the library keeps and does not apply. */
typedef struct nc_image {
    const void *pixels;
    size_t width, height;   /* 1 or more */
    size_t channels;        /* 1: gray, 2: gray and alpha, 3: RGB, 4: RGB and alpha. Alpha is straight, not multiplied into the colours */
    size_t stride;          /* bytes from one row to the next; 0: without gaps */
} nc_image;

/* What becomes of the alpha channel of a picture that has one. */
typedef enum nc_alpha {
    NC_ALPHA_LOSSLESS = 0,  /* kept without loss, beside the colours, whatever their quality */
    NC_ALPHA_NONE = 1       /* left out: 2 channels become 1, 4 become 3; the colours stay as they are */
} nc_alpha;

/* Bytes that each member of nc_metadata may have at most: 16 MiB. */
#define NC_METADATA_LIMIT ((size_t)1 << 24)

/* What a file holds beside its pixels, kept byte for byte and not interpreted. A size of 0: not there; then the pointer is not read. */
typedef struct nc_metadata {
    size_t struct_size;
    const void *icc;        /* ICC colour profile */
    size_t icc_size;
    const void *exif;       /* Exif from its TIFF header on, which is "II*\0" or "MM\0*"; without the "Exif\0\0" that stands before it in JPEG files */
    size_t exif_size;
    const void *xmp;        /* XMP packet: XML in UTF-8 */
    size_t xmp_size;
} nc_metadata;

/* Called on the calling thread only, with the fraction done (0...1, never falling). A non-zero return cancels: the call ends with NC_CANCELLED.
 * It runs in the library's floating-point mode (round to nearest, nothing flushed to zero), not the caller's. */
typedef int (*nc_progress)(void *user, double fraction);

/* Bounds on what one call may use. All are checked before the allocation they bound. */
typedef struct nc_limits {
    size_t max_pixels;      /* width * height; default 2^28; 0: no limit */
    size_t max_memory;      /* bytes of working memory beside input and output; default 4 GiB; 0: no limit */
} nc_limits;

/* ---- Encode -------------------------------------------------------------------------------------------------------------------------- */

/* At most one of quality, target_size and target_psnr may be set; none: quality 75. */
typedef struct nc_encode_options {
    size_t struct_size;
    double quality;         /* 0 (smallest) ... 100 (best), continuous; negative: not set */
    size_t target_size;     /* bytes of the whole file, never exceeded; 0: not set */
    double target_psnr;     /* dB over all colour samples, up to 200: the smallest file of the model that reaches it; 0: not set. The peak is 255, or 65535 for
                             * 16 bits */
    uint32_t threads;       /* 0: all cores. Does not change the bytes. At most 1024 */
    nc_limits limits;
    nc_progress progress;   /* may be null */
    void *progress_user;
    nc_alpha alpha;         /* default NC_ALPHA_LOSSLESS; no matter to pictures without alpha */
    uint32_t bit_depth;     /* of the image's samples: 8, 16; 0 (default): 8. The file keeps it */
    const nc_metadata *metadata; /* goes into the file and counts in target_size; may be null. Larger than NC_METADATA_LIMIT: NC_LIMIT_EXCEEDED; Exif that does
                             * not begin with a TIFF header: NC_INVALID_ARGUMENT */
} nc_encode_options;

/* What the encoder chose. */
typedef struct nc_encode_result {
    size_t struct_size;
    double quality;         /* the quality used; for NC_TARGET_UNREACHABLE the nearest one */
    size_t size;            /* bytes of the file; for an unreachable target size the smallest size possible with this alpha and metadata */
    double psnr;            /* dB, only with target_psnr, else NaN; for an unreachable target PSNR the highest possible; infinite when lossless */
} nc_encode_result;

/* Sets every member to its default. */
void nc_encode_options_init(nc_encode_options *options);

/* Encodes a picture. model null: the default model; options null: the defaults. *data receives *size bytes to be freed with nc_free.
 * result may be null; it is filled on success and on NC_TARGET_UNREACHABLE (struct_size set by the caller). */
NC_MUST_USE nc_status nc_encode(const nc_model *model, const nc_image *image, const nc_encode_options *options,
                                uint8_t **data, size_t *size, nc_encode_result *result);

/* ---- Decode -------------------------------------------------------------------------------------------------------------------------- */

typedef struct nc_decode_options {
    size_t struct_size;
    uint32_t threads;       /* 0: all cores. Does not change the pixels. At most 1024 */
    nc_limits limits;
    nc_progress progress;   /* may be null */
    void *progress_user;
    nc_alpha alpha;         /* default NC_ALPHA_LOSSLESS: the pixels have the file's channels. NC_ALPHA_NONE: they have no alpha */
    uint32_t bit_depth;     /* of the pixels: 0 (default): the file's; 8: 16-bit samples are scaled to 8 bits and rounded; 16: a file of 8 bits is NC_UNSUPPORTED */
} nc_decode_options;

/* What a file says of itself. */
typedef struct nc_info {
    size_t struct_size;
    size_t width, height;
    size_t channels;              /* 1: gray, 2: gray and alpha, 3: RGB, 4: RGB and alpha */
    size_t bit_depth;             /* of a sample: 8 or 16 */
    char model_id[9];             /* zero-terminated; "" when the file needs no model */
    uint8_t model_hash[8];        /* prefix of nc_model_info.hash */
    uint16_t rate_parameter;      /* 0...65535, the model's rate axis */
    int stored;                   /* 1: the colours are stored without loss and no model is needed */
    uint32_t format_version, arithmetic_version;
    size_t payload_size;          /* bytes of entropy-coded (or stored) colours */
    int alpha;                    /* 1: there is an alpha channel, the last of 2 or 4 */
    uint32_t orientation;         /* 1...8 as Exif numbers them, 1 being upright; 1 where the file does not say. Pixels are never turned by the library: to show
                                   * them upright is up to the caller */
    size_t alpha_size;            /* bytes of the coded alpha channel */
    size_t icc_size, exif_size, xmp_size;  /* bytes of the metadata; 0: not there */
} nc_info;

/* Sets every member to its default. */
void nc_decode_options_init(nc_decode_options *options);

/* Reads the header without decoding; all checksums of the file are verified. info->struct_size must be set. */
NC_MUST_USE nc_status nc_read_info(const void *data, size_t size, nc_info *info);

/* Finds the metadata without decoding; all checksums of the file are verified. The pointers of *metadata, whose struct_size the caller has set, lead into `data`
 * and are valid as long as that is; they are null for what is not there. Nothing is allocated. */
NC_MUST_USE nc_status nc_read_metadata(const void *data, size_t size, nc_metadata *metadata);

/* Decodes into new memory: *pixels receives width * height * channels samples of 1 or 2 bytes (as in nc_image), rows without gaps, to be freed with nc_free and
 * aligned for them. *info (may be null, struct_size set) receives what nc_read_info says, with channels, alpha and bit_depth as the pixels have them, where the
 * options ask for others than the file's. model null: the model the file names, looked for in the library, then as nc_model_open does. */
NC_MUST_USE nc_status nc_decode(const nc_model *model, const void *data, size_t size, const nc_decode_options *options,
                                uint8_t **pixels, nc_info *info);

/* Decodes into the caller's buffer of buffer_size bytes with rows `stride` bytes apart (0: without gaps). It need not be aligned for samples of 16 bits. On an
 * error after decoding has begun the buffer's contents are undefined; bytes between rows are never touched. */
NC_MUST_USE nc_status nc_decode_into(const nc_model *model, const void *data, size_t size, const nc_decode_options *options,
                                     void *buffer, size_t buffer_size, size_t stride);

/* ---- Quantizers ---------------------------------------------------------------------------------------------------------------------- */

/* Maps float vectors to the points of a lattice, of a scalar grid or of a codebook, and to integers that index them. Immutable, shareable between threads. */
typedef struct nc_quantizer nc_quantizer;

/* How the point of a lattice given by a basis is chosen. The lattices by name and the codebooks are always searched exactly. */
typedef enum nc_search {
    NC_SEARCH_BABAI = 0,          /* Babai's rounding, u = round(x B^-1): fastest, what a learned lattice is trained with; exact for orthogonal rows only */
    NC_SEARCH_NEAREST_PLANE = 1,  /* Babai's nearest plane */
    NC_SEARCH_EXACT = 2           /* the closest point (Schnorr-Euchner enumeration); slow above 24 dimensions */
} nc_search;

typedef struct nc_quantizer_options {
    size_t struct_size;
    double scale;                 /* points are those of the unscaled quantizer times this; default 1 */
    double offset, dead_zone;     /* "scalar" only: the point of index i is i * scale + offset; |x - offset| <= dead_zone * scale gives index 0.
                                   * Default 0, 0: plain rounding, half to even */
    nc_search search;             /* for a basis; default NC_SEARCH_BABAI */
    uint64_t node_limit;          /* NC_SEARCH_EXACT: integers tried for one vector at most, then the best so far is taken; 0 (default): no limit */
    const float *correlation;     /* for a basis: correlation of the vectors' coordinates, dimension * dimension values, row by row, copied; only the entropy
                                   * coder uses it. Symmetric, ones on the diagonal. Default null: the coordinates are independent */
} nc_quantizer_options;

typedef struct nc_quantizer_info {
    size_t struct_size;
    const char *name;             /* "e8", "basis", "codebook", ...; owned by the quantizer */
    size_t dimension;             /* floats in a vector */
    size_t index_count;           /* integers that index a point: dimension, or 1 for a codebook */
    size_t codewords;             /* of a codebook; 0: a lattice */
    double scale;
    double volume;                /* of a cell, |det B| at this scale; NaN for a codebook */
    double nsm;                   /* normalized second moment E|x - Q(x)|^2 / (n V^(2/n)) for uniform x (1/12 for scalars); NaN where it is not known */
} nc_quantizer_info;

/* Sets every member to its default. */
void nc_quantizer_options_init(nc_quantizer_options *options);

/* Opens a quantizer by name; options null: the defaults.
 *     "scalar", "zn"   uniform scalar quantization of each value; any dimension (0: 1)
 *     "a2", "an"       the hexagonal lattice; A_n in `dimension` coordinates of an orthonormal frame
 *     "d4", "dn"       integer vectors with an even sum
 *     "e8"             Gosset's lattice, D8 and D8 + 1/2
 *     "barnes-wall"    Barnes-Wall lattice of 16 dimensions, integer, minimal norm 8
 *     "leech"          Leech lattice of 24 dimensions, integer, minimal norm 32
 * dimension: 0 for a lattice that has only one; at most 64. *quantizer receives a handle for nc_quantizer_close. */
NC_MUST_USE nc_status nc_quantizer_create(const char *name, size_t dimension, const nc_quantizer_options *options, nc_quantizer **quantizer);

/* Opens a quantizer on the lattice that the rows of `basis` span: dimension * dimension values, row by row, copied; dimension 1...64. A singular basis, one with
 * values that are not finite and one with singular values more than 2^20 apart are NC_INVALID_ARGUMENT, and so is a correlation that no vectors can have. */
NC_MUST_USE nc_status nc_quantizer_create_basis(const float *basis, size_t dimension, const nc_quantizer_options *options, nc_quantizer **quantizer);

/* Opens a quantizer on `count` codewords of `dimension` values, copied: general vector quantization. */
NC_MUST_USE nc_status nc_quantizer_create_codebook(const float *codewords, size_t count, size_t dimension, const nc_quantizer_options *options,
                                                   nc_quantizer **quantizer);

typedef struct nc_codebook_options {
    size_t struct_size;
    uint64_t seed;                /* draws the samples that are the first codewords; default 1 */
    double tolerance;             /* training ends when a round lowers the squared error by no more than this part of it; default 1e-4 */
    uint32_t rounds;              /* at most so many, and at least 1; default 50 */
    uint32_t threads;             /* 0: all cores. Does not change the codebook. At most 1024 */
    nc_progress progress;         /* may be null */
    void *progress_user;
} nc_codebook_options;

/* Sets every member to its default. */
void nc_codebook_options_init(nc_codebook_options *options);

/* Opens a quantizer on a codebook of `size` codewords that is trained (Linde, Buzo and Gray, 1980) on `count` samples of `dimension` values, at least as many as
 * codewords: first some of the samples, then round after round each codeword becomes the mean of the samples nearest to it. The same samples, size, seed, rounds and
 * tolerance give the same codebook on every machine. NaN counts as 0. options null: the defaults. */
NC_MUST_USE nc_status nc_quantizer_train_codebook(const float *samples, size_t count, size_t dimension, size_t size, const nc_codebook_options *options,
                                                  nc_quantizer **quantizer);

/* ---- Learning a lattice ---- */

/* How a learned basis is held to orthogonal rows of equal lengths, for which Babai's rounding is exact. */
typedef enum nc_orthogonality {
    NC_ORTHOGONALITY_DEFAULT = 0, /* a penalty for NC_SEARCH_BABAI, none for the other searches */
    NC_ORTHOGONALITY_NONE = 1,
    NC_ORTHOGONALITY_PENALTY = 2, /* orthogonality_weight * |B B^T - I|^2 / n is added to the objective */
    NC_ORTHOGONALITY_HARD = 3     /* the rows stay orthonormal: then the lattice is a rotation before a scalar quantizer. Not with NC_SEARCH_EXACT */
} nc_orthogonality;

/* What a coordinate's bits are taken to be while the basis is learned, s being its spread among the samples of a step. */
typedef enum nc_coordinate_model {
    NC_COORDINATE_GAUSSIAN = 0,   /* log2(1 + 2 pi e s^2) / 2, s the standard deviation */
    NC_COORDINATE_LAPLACE = 1     /* log2(1 + 2 e s), s the mean distance from the centre: for peaked values with long tails */
} nc_coordinate_model;

/* Where a descent begins. */
typedef enum nc_lattice_start {
    NC_START_IDENTITY = 0,
    NC_START_PRINCIPAL_AXES = 1,  /* eigenvectors of the samples' covariance; with NC_SEARCH_EXACT only for large steps, as rotations do not matter else */
    NC_START_CLASSICAL = 2,       /* the best lattice by name, or product of such, in so many dimensions; with NC_SEARCH_EXACT */
    NC_START_RANDOM = 3
} nc_lattice_start;

typedef struct nc_lattice_learning_options {
    size_t struct_size;
    double scale;                 /* of the quantizer; the basis is learned for it, with unit volume. Default 1 */
    nc_search search;             /* the search that will be used, which decides what is descended. Default NC_SEARCH_BABAI */
    uint64_t node_limit;          /* NC_SEARCH_EXACT: the quantizer's; 0 (default): no limit, and 65536 while learning */
    double lambda;                /* what a squared error of scale^2 a value costs, in bits a value. Default 6 / ln 2: the slope of rate against distortion
                                   * at small steps */
    nc_orthogonality orthogonality;
    double orthogonality_weight;  /* of the penalty; default 0.1 */
    nc_coordinate_model model;    /* default NC_COORDINATE_GAUSSIAN */
    double condition_limit;       /* greatest ratio of the basis' singular values, above 1; 0 (default): 10, and 1000 with NC_SEARCH_EXACT */
    double learning_rate;         /* of the first step, up to 0.5; falls to 0. Default 0.02 */
    uint32_t steps, batch;        /* steps of a descent, samples of a step; default 600, 256 */
    uint32_t starts;              /* descents: from the identity, the principal axes, a classical lattice, then random bases; 1...256, default 4 */
    int classical_start;          /* 0: no descent from a classical lattice; default 1 */
    uint64_t seed;                /* of random bases and of the samples of a step; default 1 */
    uint32_t threads;             /* 0: all cores. Does not change the basis. At most 1024 */
    nc_progress progress;         /* may be null */
    void *progress_user;
} nc_lattice_learning_options;

/* What a quantizer does to the held-out samples. */
typedef struct nc_lattice_figures {
    double distortion;            /* mean squared error of a value */
    double rate;                  /* bits a value: entropies of the coordinates, each coded by itself */
    double chained_rate;          /* bits a value where each coordinate is coded given its linear prediction from those before it, rounded to quarters */
    double nsm;                   /* normalized second moment; measured for the exact search */
} nc_lattice_figures;

typedef struct nc_lattice_learning_report {
    size_t struct_size;
    nc_lattice_figures scalar;                        /* the integers at the same scale */
    nc_lattice_figures babai, nearest_plane, exact;   /* the learned basis with each search */
    double objective;             /* rate + lambda * distortion / scale^2 with the search asked for, in bits a value; the chained rate for NC_SEARCH_EXACT */
    double scalar_objective;      /* of the integers */
    double orthogonality_defect;  /* product of the rows' lengths / volume; 1 for orthogonal rows */
    double condition;             /* greatest singular value / smallest */
    double error_deviation;       /* of the errors' covariance from a multiple of I: the greatest of an entry / the mean variance. Near 0 where no small
                                   * change of the cell lowers the error */
    double proven;                /* part of the points of the exact search that are proven closest */
    nc_lattice_start start;       /* where the best descent began */
    size_t samples, held_out;     /* samples learned from, and held out to choose and to measure: every fifth, up to 16384 */
} nc_lattice_learning_report;

/* Sets every member to its default. */
void nc_lattice_learning_options_init(nc_lattice_learning_options *options);

/* Learns the basis of a lattice of `dimension` (1...64) from `count` samples of so many values, at least 8 * dimension and 20 of them, and opens a quantizer
 * on it with the options' scale and search. NC_SEARCH_BABAI and NC_SEARCH_NEAREST_PLANE descend rate + lambda * distortion with the rounding passed straight
 * through, after "Learning Optimal Lattice Vector Quantizers" (2024); NC_SEARCH_EXACT descends the error of the closest point (Agrell and Eriksson, 1998).
 * docs/quantizers.md says what can be expected of each. Values must be finite and within 2^16 * scale. The quantizer codes with the correlation of the samples
 * it was learned from (nc_quantizer_get_correlation). The same samples and options give the same basis on every machine. options null: the defaults. report may
 * be null; its struct_size is set by the caller. */
NC_MUST_USE nc_status nc_quantizer_learn(const float *samples, size_t count, size_t dimension, const nc_lattice_learning_options *options,
                                         nc_quantizer **quantizer, nc_lattice_learning_report *report);

/* ---- Using a quantizer ---- */

/* Fills *info, whose struct_size the caller has set. The name lives as long as the quantizer. */
NC_MUST_USE nc_status nc_quantizer_get_info(const nc_quantizer *quantizer, nc_quantizer_info *info);

/* Writes the rows that span the lattice at its scale: dimension * dimension values into `basis`, which has room for `count`. For a codebook: its codewords. */
NC_MUST_USE nc_status nc_quantizer_get_basis(const nc_quantizer *quantizer, float *basis, size_t count);

/* Writes the correlation that the entropy coder counts on: dimension * dimension values, row by row, into `correlation`, which has room for `count`. The unit matrix
 * where none was given. A codebook is NC_UNSUPPORTED. */
NC_MUST_USE nc_status nc_quantizer_get_correlation(const nc_quantizer *quantizer, float *correlation, size_t count);

/* Quantizes `length` floats, vectors one after the other; length is a multiple of the dimension, so longer vectors that are products of the lattice need nothing
 * special. Any of the outputs may be null: points receives `length` floats and may be `vectors`; indices index_count integers for each vector; proven one
 * byte for each vector, 1 where the point is certain to be a closest one (always, but for a search on a basis). NaN counts as 0, coordinates are clamped to
 * +-2^20 (for a codebook, values to +-2^50). threads: 0 all cores; does not change the result. */
NC_MUST_USE nc_status nc_quantizer_quantize(const nc_quantizer *quantizer, const float *vectors, size_t length, float *points, int32_t *indices, uint8_t *proven,
                                            uint32_t threads);

/* The points of `length` indices (a multiple of index_count), bit for bit those that came with them. `points` has room for all. */
NC_MUST_USE nc_status nc_quantizer_dequantize(const nc_quantizer *quantizer, const int32_t *indices, size_t length, float *points, uint32_t threads);

/* Entropy coding of indices, by rANS with fixed tables. Vectors are taken to be Gaussian: of the lattices "dn", "d4", "e8", "barnes-wall" and "leech" each point is
 * coded with its exact probability, of "a2", "an" and a basis each coordinate given those before it, of "scalar" and "zn" each by itself. docs/quantizers.md
 * specifies the bytes. A codebook's indices are NC_UNSUPPORTED.
 *
 * scales: standard deviations of the vectors' coordinates before they were quantized, in the units of the vectors, around 0 (of "scalar": around the offset).
 * scale_count of them: 1 for all, one for each vector, or one for each of the `length` indices. NaN counts as 0. The coordinates are taken to be independent; of
 * a basis, to have the correlation of its options. Wrong scales cost bytes, nothing else. Divided by the quantizer's scale they select one of 128 tables, from
 * 0.077 to 512 steps, the nearest; of "a2", "an" and a basis, the deviation of each coordinate given those before it does.
 *
 * The decoder has to be given the same numbers, and a quantizer that was created alike: of a basis, with the same search and correlation too.
 *
 * Points with a coordinate beyond 2^20 times the scale are NC_INVALID_ARGUMENT; of "a2", "an" and a basis, indices beyond 2^19, also on the reduced basis that
 * NC_SEARCH_EXACT codes. These functions work on the calling thread alone. */

/* *bits receives the bits of the model for `length` indices; vector_bits (may be null) those of each vector. The bytes of nc_quantizer_encode are more by 32 at most, and
 * a few parts in 10^5. The sum of logarithms, so its last digits may differ between machines. */
NC_MUST_USE nc_status nc_quantizer_rate(const nc_quantizer *quantizer, const int32_t *indices, size_t length, const float *scales, size_t scale_count,
                                        double *vector_bits, double *bits);

/* Codes `length` indices (a multiple of the dimension). *data receives memory for nc_free, *size its length, at least 32. Neither number nor scales are part of it, and no
 * checksum. The same indices, scales and quantizer give the same bytes on every machine. */
NC_MUST_USE nc_status nc_quantizer_encode(const nc_quantizer *quantizer, const int32_t *indices, size_t length, const float *scales, size_t scale_count,
                                          uint8_t **data, size_t *size);

/* Decodes `length` indices, the number that was encoded. What nc_quantizer_encode cannot have written for these scales and this number is NC_BAD_STREAM, and leaves
 * `indices` alone; damage may also go unnoticed, and gives the indices of other points. */
NC_MUST_USE nc_status nc_quantizer_decode(const nc_quantizer *quantizer, const void *data, size_t size, const float *scales, size_t scale_count, int32_t *indices,
                                          size_t length);

/* Closes the handle and sets it to null. Accepts null and a null handle. */
void nc_quantizer_close(nc_quantizer **quantizer);

/* ---- Latent analysis ----------------------------------------------------------------------------------------------------------------- */

/* What the entropy model of a network leaves to code in a picture: latents, what is predicted of them, the spatial correlation that is left when the prediction is
 * taken out, and the bits of each. After "Towards Efficient Image Compression Without Autoregressive Models" (NeurIPS 2023). Immutable, shareable between threads. */
typedef struct nc_analysis nc_analysis;

/* Latents stand in a grid of channels, height and width; one stands for 16 x 16 pixels of the picture, which is padded on the right and at the bottom. In each plane
 * a latent has one float. */
typedef enum nc_plane {
    NC_PLANE_LATENT = 0,      /* y, times the gain of its rate, so that a quantizer's step is 1; in the coordinates of a learned basis for a model that has one */
    NC_PLANE_MEAN = 1,        /* predicted by the decoder from what it has by then, in the units of the latent. 0 for a model of scales only */
    NC_PLANE_SCALE = 2,       /* predicted standard deviation, in the same units; at least 0.11, as scales below have the same table; of architecture
                               * "patch-checkerboard" at most 512 */
    NC_PLANE_NORMALIZED = 3,  /* (latent - mean) / scale */
    NC_PLANE_QUANTIZED = 4,   /* the same after quantization: symbol * step / scale */
    NC_PLANE_BITS = 5         /* bits that coding takes: -log2 of the frequency in the model's integer table, an escape with its raw bits. A point of a classical
                               * lattice is coded as a whole: the channels of its coordinates have equal shares */
} nc_plane;

typedef struct nc_analysis_options {
    size_t struct_size;
    double quality;         /* as nc_encode takes it, 0 ... 100; default 75. No matter to a model of one rate */
    size_t window;          /* side of the correlation maps: odd, 3 ... 31; default 5 */
    uint32_t threads;       /* 0: all cores. Does not change any value. At most 1024 */
    nc_limits limits;
    nc_progress progress;   /* may be null */
    void *progress_user;
    uint32_t bit_depth;     /* of the image's samples: 8, 16; 0 (default): 8 */
} nc_analysis_options;

typedef struct nc_analysis_info {
    size_t struct_size;
    size_t channels, height, width;         /* of the latents' grid, padding included */
    size_t window;                          /* side of the correlation maps */
    double quality;
    uint16_t rate_parameter;                /* what the quality stands for; a file has it too */
    double latent_bpp, hyperlatent_bpp;     /* bits for each pixel of the picture, padding not counted as pixels. Together with the pixels they give the size of a
                                             * file's coded pixels, but for 32 bytes and a few parts in 10^4 */
    double average_correlation;             /* mean magnitude of the correlation map beside its middle: of NC_PLANE_NORMALIZED */
    double average_correlation_quantized;   /* and of NC_PLANE_QUANTIZED */
} nc_analysis_info;

/* Sets every member to its default. */
void nc_analysis_options_init(nc_analysis_options *options);

/* Analyses the colours of a picture, of which alpha is no part, as nc_encode codes them at this quality (a picture that nc_encode would store without loss is no
 * exception). model null: the default model; options null: the defaults. *analysis receives a handle for nc_analysis_close. A model with a factorized prior is
 * NC_UNSUPPORTED: it has no means and scales. */
NC_MUST_USE nc_status nc_analyze(const nc_model *model, const nc_image *image, const nc_analysis_options *options, nc_analysis **analysis);

/* Fills *info, whose struct_size the caller has set. Sums of logarithms, so the last digits of the bits per pixel may differ between machines. */
NC_MUST_USE nc_status nc_analysis_get_info(const nc_analysis *analysis, nc_analysis_info *info);

/* Writes the correlation map of NC_PLANE_NORMALIZED or NC_PLANE_QUANTIZED, another plane is NC_INVALID_ARGUMENT: window * window values, row by row, into
 * `correlation`, which has room for `count`. The value of offset d from the middle is the mean of v(p) v(p + d) over all channels and all positions p whose neighbour
 * lies in the grid; 0 where there are none. The map is symmetric about its middle, the mean of v(p)^2. */
NC_MUST_USE nc_status nc_analysis_get_correlation(const nc_analysis *analysis, nc_plane plane, double *correlation, size_t count);

/* Writes the bits for each pixel of the picture that each channel takes: `channels` values, whose sum is latent_bpp, into `bpp`, which has room for `count`. */
NC_MUST_USE nc_status nc_analysis_get_channel_bpp(const nc_analysis *analysis, double *bpp, size_t count);

/* *values receives the floats of a plane: channels * height * width, channel by channel, row by row. They live as long as the analysis. The same on every machine, but
 * for NC_PLANE_BITS, whose last digits may differ. */
NC_MUST_USE nc_status nc_analysis_get_plane(const nc_analysis *analysis, nc_plane plane, const float **values);

/* Closes the handle and sets it to null. Accepts null and a null handle. */
void nc_analysis_close(nc_analysis **analysis);

#ifdef __cplusplus
}
#endif
#endif
