/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The custom allocator gets every buffer and every buffer back, and each of its allocations may fail: the call then ends with NC_OUT_OF_MEMORY, or,
 * where it was a thread that could not be started, works with fewer threads and gives the same bytes.
 * usage: allocator            with the default model, from its very first load on; it stays loaded
 *        allocator tiny.safetensors   with a model of one's own, all of whose memory must come back
 */
#include <stdatomic.h>

#include "check.h"

enum { guard = 64, magic = 0x6E69636D, width = 37, height = 26 };

static atomic_long live, calls, fail_at, fail_count;
static atomic_size_t largest_refused;
static int user_word;

static void *allocate(void *user, size_t size)
{
    if (user != &user_word) abort();
    long call = ++calls;
    if (call >= fail_at && call < fail_at + fail_count) {
        if (size > largest_refused) largest_refused = size;
        return NULL;
    }
    uint8_t *block = malloc(size + guard);
    if (!block) abort();
    memcpy(block, &(int){magic}, sizeof(int));
    memset(block + guard, 0xC3, size);
    live++;
    return block + guard;
}

static void deallocate(void *user, void *pointer)
{
    int mark;
    if (user != &user_word || !pointer) abort();
    memcpy(&mark, (uint8_t *)pointer - guard, sizeof mark);
    if (mark != magic) abort();  /* not ours, or freed before */
    memset((uint8_t *)pointer - guard, 0, sizeof mark);
    free((uint8_t *)pointer - guard);
    live--;
}

static void fail_from(long first, long count)
{
    fail_at = calls + first;
    fail_count = count;
    largest_refused = 0;
}

static uint32_t first_files[2];  /* checksums of the first file with quality and with a target size: all others are to be the same */

static uint32_t checksum(const uint8_t *data, size_t size)
{
    uint32_t sum = 2166136261u;
    for (size_t i = 0; i < size; i++) sum = (sum ^ data[i]) * 16777619u;
    return sum | 1;
}

/* One life of the library; returns its first failure and leaves nothing behind. */
static nc_status session(const uint8_t *model_file, size_t model_size, nc_image image, size_t target_size)
{
    nc_model *model = NULL;
    uint8_t *file = NULL, *pixels = NULL;
    size_t size = 0;
    nc_encode_options options;
    nc_encode_options_init(&options);
    options.threads = 2;
    options.target_size = target_size;
    nc_status status = model_file ? nc_model_open_memory(model_file, model_size, &model) : nc_model_open_default(&model);
    if (status == NC_OK) status = nc_encode(model, &image, &options, &file, &size, NULL);
    if (status == NC_OK && first_files[target_size != 0] == 0) first_files[target_size != 0] = checksum(file, size);
    if (status == NC_OK) CHECK(first_files[target_size != 0] == checksum(file, size));
    if (status == NC_OK) status = nc_decode(model, file, size, NULL, &pixels, NULL);
    if (status == NC_OK) {
        static uint8_t buffer[width * height * 3];
        status = nc_decode_into(NULL, file, size, NULL, buffer, sizeof buffer, 0);  /* the model is found by its name */
        CHECK(status != NC_OK || memcmp(buffer, pixels, sizeof buffer) == 0);
    }
    CHECK(status == NC_OK || nc_last_error()[0]);
    nc_free(file);
    nc_free(pixels);
    nc_model_close(&model);
    return status;
}

int main(int count, char **arguments)
{
    static uint8_t source[width * height * 3];
    nc_image image = make_picture(source, width, height, 3);
    size_t model_size = 0;
    uint8_t *model_file = count > 1 ? load(arguments[1], &model_size) : NULL;
    if (count > 1) {
        char *folder = strdup(arguments[1]);
        CHECK(folder && strrchr(folder, '/'));
        *strrchr(folder, '/') = 0;
        CHECK(setenv("NEURALCODEC_MODEL_PATH", folder, 1) == 0);
        free(folder);
    }
    nc_allocator custom = {.struct_size = sizeof custom, .allocate = allocate, .deallocate = deallocate, .user = &user_word};
    CHECK(nc_set_allocator(&custom) == NC_OK);

    long baseline = 0;
    if (model_file) {
        nc_model_info info = {.struct_size = sizeof info};
        CHECK(nc_model_get_info(NULL, &info) == NC_OK);  /* loads the default model, which stays */
        baseline = live;
    }

    /* Fail one allocation, then all from one on, at each place, the very first load of the model included. */
    size_t targets[] = {0, 4000};
    long failures = 0;
    for (size_t t = 0; t < 2; t++)
        for (int all = 0; all <= 1; all++)
            for (long k = 1;; k++) {
                fail_from(k, all ? 1000000000L : 1);
                nc_status status = session(model_file, model_size, image, targets[t]);
                int reached = calls >= fail_at;
                fail_count = 0;
                if (model_file) CHECK(live == baseline);
                if (!reached) {
                    CHECK(status == NC_OK);
                    break;
                }
                int fewer_threads = status == NC_OK && largest_refused < 512;
                if (status != NC_OUT_OF_MEMORY && !fewer_threads) fprintf(stderr, "allocation %ld failed, status %d\n", k, (int)status);
                CHECK(status == NC_OUT_OF_MEMORY || fewer_threads);
                failures += status == NC_OUT_OF_MEMORY;
                CHECK(k < 100000);
            }
    CHECK(failures > 10);  /* otherwise the library allocates elsewhere */

    /* A session leaves as much as the one before it: nothing piles up, whether it worked or failed. */
    CHECK(session(model_file, model_size, image, 0) == NC_OK);
    long steady = live, before = calls;
    CHECK(session(model_file, model_size, image, 0) == NC_OK && live == steady);
    long per_session = calls - before;
    for (long k = 1; k <= per_session; k++) {
        fail_from(k, 1);
        (void)!session(model_file, model_size, image, 0);
        fail_count = 0;
        CHECK(live <= steady);
    }
    if (model_file) CHECK(live == baseline);
    printf("%ld failed allocations survived, %ld allocations a session, %ld blocks kept by the library\n", failures, per_session, (long)live);
    free(model_file);
    return 0;
}
