// SPDX-License-Identifier: Apache-2.0
// A team lives for one call of the library: nothing survives between calls, so a fork()ed child never waits for threads it does not have.
#define _GNU_SOURCE
#include "CPlatform.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

enum { SPINS = 4000 }; // about 50 microseconds: most layers follow each other faster than a thread can sleep and wake
enum { LINE = 64 };     // bytes of a cache line

// A worker's share of the indices. Whoever takes one counts `next` up, which others may do too once they have nothing left: it can pass `end`.
typedef struct {
    _Alignas(LINE) atomic_size_t next;
    size_t end;
} share;

struct ncp_team {
    size_t size;
    pthread_mutex_t mutex;
    pthread_cond_t wake, finished;
    atomic_size_t generation; // changed under the mutex, read without it while spinning
    atomic_size_t active;     // workers that have not finished the current generation
    ncp_body body;
    void *context;
    bool quit;
    pthread_t *threads;
    share *shares; // one a worker
};

typedef struct {
    ncp_team *team;
    size_t worker;
} start_argument;

static inline void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    __asm__ volatile("yield");
#endif
}

size_t ncp_core_count(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        int n = CPU_COUNT(&set);
        if (n > 0) return (size_t)n;
    }
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (size_t)n : 1;
}

// First the worker's own indices, then what others have left. Neighbouring indices, and the same indices of the next run, so mostly meet in one core's caches.
static void take_indices(ncp_team *team, size_t worker) {
    for (size_t i = 0; i < team->size; i++) {
        share *from = &team->shares[(worker + i) % team->size];
        for (;;) {
            size_t index = atomic_fetch_add_explicit(&from->next, 1, memory_order_relaxed);
            if (index >= from->end) break;
            team->body(team->context, index, worker);
        }
    }
}

static void share_out(ncp_team *team, size_t count) {
    for (size_t i = 0; i < team->size; i++) {
        atomic_store_explicit(&team->shares[i].next, count * i / team->size, memory_order_relaxed);
        team->shares[i].end = count * (i + 1) / team->size;
    }
}

static void *worker_main(void *argument) {
    start_argument start = *(start_argument *)argument;
    ncp_free(argument);
    ncp_team *team = start.team;
    (void)ncp_fp_enter();
    size_t seen = 0;
    for (;;) {
        for (int i = 0; i < SPINS && atomic_load_explicit(&team->generation, memory_order_acquire) == seen; i++) pause_briefly();
        pthread_mutex_lock(&team->mutex);
        while (atomic_load_explicit(&team->generation, memory_order_relaxed) == seen) pthread_cond_wait(&team->wake, &team->mutex);
        seen = atomic_load_explicit(&team->generation, memory_order_relaxed);
        bool quit = team->quit;
        pthread_mutex_unlock(&team->mutex);
        if (quit) return NULL;
        take_indices(team, start.worker);
        pthread_mutex_lock(&team->mutex);
        if (atomic_fetch_sub(&team->active, 1) == 1) pthread_cond_signal(&team->finished);
        pthread_mutex_unlock(&team->mutex);
    }
}

// Starts the workers with all signals blocked, so that the host's handlers keep running on the host's threads.
static void start_workers(ncp_team *team, size_t threads) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (size_t i = 1; i < threads; i++) {
        start_argument *start = ncp_allocate(sizeof *start);
        if (!start) break;
        *start = (start_argument){team, i};
        if (pthread_create(&team->threads[i - 1], NULL, worker_main, start) != 0) {
            ncp_free(start);
            break;
        }
        team->size = i + 1;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

ncp_team *ncp_team_create(size_t threads) {
    ncp_team *team = ncp_allocate(sizeof *team);
    pthread_t *handles = ncp_allocate((threads ? threads : 1) * sizeof *handles);
    share *shares = ncp_allocate((threads ? threads : 1) * sizeof *shares);
    if (!team || !handles || !shares) {
        ncp_free(team);
        ncp_free(handles);
        ncp_free(shares);
        return NULL;
    }
    *team = (ncp_team){.size = 1, .threads = handles, .shares = shares};
    pthread_mutex_init(&team->mutex, NULL);
    pthread_cond_init(&team->wake, NULL);
    pthread_cond_init(&team->finished, NULL);
    start_workers(team, threads);
    return team;
}

static void begin(ncp_team *team, bool quit) {
    pthread_mutex_lock(&team->mutex);
    team->quit = quit;
    atomic_store(&team->active, team->size - 1);
    atomic_fetch_add_explicit(&team->generation, 1, memory_order_release);
    pthread_cond_broadcast(&team->wake);
    pthread_mutex_unlock(&team->mutex);
}

void ncp_team_run(ncp_team *team, size_t count, ncp_body body, void *context) {
    if (team->size == 1 || count < 2) {
        for (size_t i = 0; i < count; i++) body(context, i, 0);
        return;
    }
    share_out(team, count);
    team->body = body;
    team->context = context;
    begin(team, false);
    take_indices(team, 0);
    for (int i = 0; i < SPINS && atomic_load_explicit(&team->active, memory_order_acquire) != 0; i++) pause_briefly();
    pthread_mutex_lock(&team->mutex);
    while (atomic_load(&team->active) != 0) pthread_cond_wait(&team->finished, &team->mutex);
    pthread_mutex_unlock(&team->mutex);
}

void ncp_team_destroy(ncp_team *team) {
    if (!team) return;
    if (team->size > 1) begin(team, true);
    for (size_t i = 1; i < team->size; i++) pthread_join(team->threads[i - 1], NULL);
    pthread_cond_destroy(&team->finished);
    pthread_cond_destroy(&team->wake);
    pthread_mutex_destroy(&team->mutex);
    ncp_free(team->threads);
    ncp_free(team->shares);
    ncp_free(team);
}
