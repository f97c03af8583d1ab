/* SPDX-License-Identifier: Apache-2.0 */
/* What the Swift core needs from C beside its kernels: memory that may fail, the floating-point environment, threads, checksums, the last error. */
#ifndef CPLATFORM_H
#define CPLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Memory (memory.c) ---- */

/* Memory from the process's allocator, aligned to 64 bytes; null when there is none. */
void *ncp_allocate(size_t size);
/* Frees what ncp_allocate returned; accepts null. Keeps working after the allocator was replaced. */
void ncp_free(void *pointer);
/* Both functions, or neither for malloc and free. Not thread-safe. */
void ncp_set_allocator(void *(*allocate)(void *, size_t), void (*deallocate)(void *, void *), void *user);

/* ---- Floating-point environment (fpenv.c) ---- */

/* Saves the control register and sets round-to-nearest, no flush-to-zero, no denormals-are-zero, exceptions masked. */
uint64_t ncp_fp_enter(void);
void ncp_fp_leave(uint64_t saved);

/* ---- Threads (team.c) ---- */

typedef struct ncp_team ncp_team;
typedef void (*ncp_body)(void *context, size_t index, size_t worker);

/* Logical cores this process may use; at least 1. */
size_t ncp_core_count(void);
/* A team of `threads` workers, the caller being number 0. If the system refuses threads the team is smaller. Null: out of memory. */
ncp_team *ncp_team_create(size_t threads);
/* Calls body for every index below count, on all workers, and returns when all are done. worker < size tells which one runs. */
void ncp_team_run(ncp_team *team, size_t count, ncp_body body, void *context);
/* Ends and joins the threads; accepts null. */
void ncp_team_destroy(ncp_team *team);

/* ---- Checksums (crc32c.c, sha256.c) ---- */

/* CRC-32C (Castagnoli, reflected 0x82F63B78, initial and final inversion) of data appended to what `crc` already covers; start with 0. */
uint32_t ncp_crc32c(uint32_t crc, const void *data, size_t size);

typedef struct ncp_sha256 {
    uint32_t state[8];
    uint64_t length;
    uint8_t block[64];
} ncp_sha256;
void ncp_sha256_init(ncp_sha256 *hash);
void ncp_sha256_update(ncp_sha256 *hash, const void *data, size_t size);
void ncp_sha256_final(ncp_sha256 *hash, uint8_t digest[32]);

/* ---- Last error and surroundings (error.c) ---- */

/* Message of this thread, cut to at most 511 bytes, between characters. */
void ncp_error_set(const char *utf8, size_t length);
void ncp_error_clear(void);
const char *ncp_error_get(void);

/* Path of the shared object or program that holds this library, or null. Static storage of the loader. */
const char *ncp_own_path(void);

#endif
