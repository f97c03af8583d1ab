/* SPDX-License-Identifier: Apache-2.0 */
/* Proofs that the lattice quantizers are what they say, by definitions written again in double precision. */
#ifndef LATTICES_H
#define LATTICES_H

#include "CKernels.h"

enum { MOST = NCK_MOST_LATTICE_DIMENSIONS, BATCH = 1000 };

typedef struct lattice {
    nck_lattice kind;
    size_t n;
} lattice;

/* Counts and prints failures, at most a few of one place. */
#define CHECK(condition, ...) \
    do { \
        static int printed; \
        if (!(condition)) fail(&printed, __FILE__, __LINE__, __VA_ARGS__); \
    } while (0)
void fail(int *printed, const char *file, int line, const char *format, ...) __attribute__((format(printf, 4, 5)));

extern const nck_quantizers *quantizers; /* of the fastest path; kernelcheck proves the paths equal */
const char *name_of(lattice l);

double uniform(void); /* in [0, 1) */
void fill(float *out, size_t count, double low, double high);

/* Independent definitions. t, p and y are in units of the scale. */
int is_member(lattice l, const float *p);
double squared_distance(size_t n, const float *x, const float *p);
double covering_norm(lattice l);           /* the squared covering radius */
int is_closest(lattice l, const float *x, const float *p, double tolerance);

int is_leech(const float *p);
double leech_distance(const float *x);     /* the least squared distance to a point, over all 8192 cosets */

void check_definition(lattice l);          /* membership, coordinates, idempotence, translation, optimality, covering radius, hostile input */
void check_ties(void);
void check_search(lattice l);              /* against an exhaustive search, few dimensions */
void check_shells(void);
void check_moment(lattice l, double expected, double deviation, size_t count);
void check_scalar(void);
void check_leech(void);                    /* the code, the minimal vectors, holes, and the definition and moment as for the others */
void check_bases(void);
void bases_speed(void);
void check_codebooks(void);
void speed(void);

#endif
