// SPDX-License-Identifier: Apache-2.0
// Section 2: safetensors, the hash, and the tables of section 3.
#include "nicref.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// SHA-256 (FIPS 180-4).

typedef struct {
    uint32_t h[8];
    uint8_t block[64];
    uint64_t length;
} Sha256;

static uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void sha256_block(Sha256 *sha) {
    static const uint32_t k[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)sha->block[4 * i] << 24 | (uint32_t)sha->block[4 * i + 1] << 16 |
               (uint32_t)sha->block[4 * i + 2] << 8 | sha->block[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        uint32_t s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    memcpy(v, sha->h, sizeof v);
    for (int i = 0; i < 64; i++) {
        uint32_t s1 = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25);
        uint32_t s0 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22);
        uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
        uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof v[0]);
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) sha->h[i] += v[i];
}

static void sha256_add(Sha256 *sha, const void *data, size_t count) {
    const uint8_t *bytes = data;
    for (size_t i = 0; i < count; i++) {
        sha->block[sha->length++ % 64] = bytes[i];
        if (sha->length % 64 == 0) sha256_block(sha);
    }
}

static void sha256_text(Sha256 *sha, const char *text) { sha256_add(sha, text, strlen(text)); }

static void sha256_finish(Sha256 *sha, uint8_t digest[32]) {
    uint64_t bits = sha->length * 8;
    sha256_add(sha, "\x80", 1);
    while (sha->length % 64 != 56) sha256_add(sha, "", 1);
    for (int i = 7; i >= 0; i--) sha256_add(sha, &(uint8_t){(uint8_t)(bits >> (8 * i))}, 1);
    for (int i = 0; i < 32; i++) digest[i] = (uint8_t)(sha->h[i / 4] >> (24 - 8 * (i % 4)));
}

// As much JSON as a model's header needs: objects, strings, integers and arrays of integers.

typedef struct { const char *at, *end; } Json;

static char json_peek(Json *json) {
    while (json->at < json->end && memchr(" \t\r\n", *json->at, 4)) json->at++;
    if (json->at == json->end) fail("model: the header is truncated");
    return *json->at;
}

static void json_expect(Json *json, char character) {
    if (json_peek(json) != character) fail("model: the header is malformed");
    json->at++;
}

static char json_character(Json *json) {
    if (json->at == json->end || *json->at == 0) fail("model: the header is malformed");
    return *json->at++;
}

static char *json_string(Json *json) {
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t", digits[] = "0123456789abcdef0123456789ABCDEF";
    json_expect(json, '"');
    size_t length = 0;  // of the source, which is never shorter than the text
    for (Json ahead = *json; json_character(&ahead) != '"'; length = (size_t)(ahead.at - json->at))
        if (ahead.at[-1] == '\\') json_character(&ahead);
    char *text = take(length + 1, 1), *out = text, c;
    while ((c = json_character(json)) != '"') {
        if (c != '\\') { *out++ = c; continue; }
        c = json_character(json);
        const char *letter = strchr(letters, c);
        if (letter) { *out++ = meanings[letter - letters]; continue; }
        uint32_t code = 0;  // \uXXXX, to UTF-8
        for (int i = 0; i < 4; i++) {
            const char *digit = strchr(digits, json_character(json));
            if (c != 'u' || !digit) fail("model: the header is malformed");
            code = code * 16 + (uint32_t)(digit - digits) % 16;
        }
        if (code == 0) fail("model: the header is malformed");
        if (code < 0x80) { *out++ = (char)code; continue; }
        if (code < 0x800) *out++ = (char)(0xC0 | code >> 6);
        else { *out++ = (char)(0xE0 | code >> 12); *out++ = (char)(0x80 | (code >> 6 & 63)); }
        *out++ = (char)(0x80 | (code & 63));
    }
    return text;
}

static int64_t json_integer(Json *json) {
    int64_t value = 0, sign = json_peek(json) == '-' ? -1 : 1;
    if (sign < 0) json->at++;
    int digits = 0;
    for (; json->at < json->end && *json->at >= '0' && *json->at <= '9'; digits++) {
        if (digits >= 15) fail("model: a number is too large");
        value = value * 10 + (*json->at++ - '0');
    }
    if (digits == 0) fail("model: the header is malformed");
    return sign * value;
}

// Moves to the next member of an object ('{') or element of an array ('['); 0 at the end. `index` counts them.
static int json_next(Json *json, int *index, char open, char close) {
    if (*index == 0) json_expect(json, open);
    if (json_peek(json) == close) { json->at++; return 0; }
    if ((*index)++ > 0) json_expect(json, ',');
    return 1;
}

static char *json_key(Json *json) {
    char *key = json_string(json);
    json_expect(json, ':');
    return key;
}

// Metadata and hyperparameters are lists of pairs. All of a model's strings and lists live as long as the program.

typedef struct { char *name, *text; int64_t number; } Pair;
typedef struct { Pair pair[64]; int count; } Pairs;

static Pairs *json_pairs(Json *json, int numbers) {
    Pairs *pairs = take(1, sizeof(Pairs));
    while (json_next(json, &pairs->count, '{', '}')) {
        if (pairs->count > 64) fail("model: too many metadata");
        Pair *pair = &pairs->pair[pairs->count - 1];
        pair->name = json_key(json);
        if (numbers) pair->number = json_integer(json);
        else pair->text = json_string(json);
    }
    return pairs;
}

// Null if there is none.
static const Pair *pair_if_any(const Pairs *pairs, const char *name) {
    for (int i = 0; i < pairs->count; i++)
        if (strcmp(pairs->pair[i].name, name) == 0) return &pairs->pair[i];
    return NULL;
}

static const Pair *find_pair(const Pairs *pairs, const char *name) {
    const Pair *pair = pair_if_any(pairs, name);
    if (pair) return pair;
    fail("model: metadata or a hyperparameter is missing");
}

// Tensors.

static int compare_tensors(const void *a, const void *b) {
    return strcmp(((const Tensor *)a)->name, ((const Tensor *)b)->name);
}

static Tensor json_tensor(Json *json, char *name, const uint8_t *data, size_t size) {
    Tensor tensor = {.name = name, .count = 1};
    int64_t offsets[2] = {0, 0};
    int offset_count = 0, shapes = 0, index = 0;
    while (json_next(json, &index, '{', '}')) {
        char *key = json_key(json);
        int i = 0;
        if (strcmp(key, "dtype") == 0) tensor.type = json_string(json);
        else if (strcmp(key, "shape") == 0) {
            for (shapes++; json_next(json, &i, '[', ']'); tensor.rank = i) {
                if (i > 4) fail("model: a tensor has more than four sides");
                tensor.sides[i - 1] = json_integer(json);
            }
        } else if (strcmp(key, "data_offsets") == 0) {
            for (; json_next(json, &i, '[', ']'); offset_count = i) {
                if (i > 2) fail("model: bad data offsets");
                offsets[i - 1] = json_integer(json);
            }
        } else fail("model: unknown member of a tensor");
    }
    if (!tensor.type || shapes != 1 || offset_count != 2) fail("model: a tensor lacks a member");
    if (offsets[0] < 0 || offsets[1] < offsets[0] || (uint64_t)offsets[1] > size) fail("model: bad data offsets");
    for (int i = 0; i < tensor.rank; i++) {
        if (tensor.sides[i] < 0 || tensor.sides[i] > 1 << 28) fail("model: a side is out of range");
        tensor.count *= (size_t)tensor.sides[i];
        if (tensor.count > (size_t)1 << 28) fail("model: a tensor is too large");
    }
    tensor.data = data + offsets[0];
    tensor.size = (size_t)(offsets[1] - offsets[0]);
    return tensor;
}

static float widen(uint32_t half) {
    uint32_t sign = (half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 0x3FF, bits;
    float value;
    if (exponent == 0) {
        value = (float)fraction * 0x1p-24f;
        return sign ? -value : value;
    }
    bits = sign | (exponent == 31 ? 255 : exponent + 112) << 23 | fraction << 13;
    memcpy(&value, &bits, 4);
    return value;
}

static void convert(Tensor *tensor) {
    const char *t = tensor->type;
    int f32 = strcmp(t, "F32") == 0, f16 = strcmp(t, "F16") == 0, i32 = strcmp(t, "I32") == 0;
    if (!f32 && !f16 && !i32 && strcmp(t, "U16") != 0) fail("model: unknown type");
    size_t width = f32 || i32 ? 4 : 2;
    if (tensor->size != tensor->count * width) fail("model: a tensor's data have another length than its shape");
    if (f32 || f16) tensor->values = take(tensor->count, sizeof(float));
    else tensor->integers = take(tensor->count, sizeof(int32_t));
    for (size_t i = 0; i < tensor->count; i++) {
        uint32_t bits = (uint32_t)little_endian(tensor->data + i * width, (int)width);
        if (f32) memcpy(&tensor->values[i], &bits, 4);
        else if (f16) tensor->values[i] = widen(bits);
        else memcpy(&tensor->integers[i], &bits, 4);
        if (tensor->values && !(tensor->values[i] - tensor->values[i] == 0)) fail("model: a weight is not finite");
    }
}

static const Tensor *lookup(const Model *model, const char *name) {
    Tensor key = {.name = name};
    return bsearch(&key, model->tensors, model->tensor_count, sizeof(Tensor), compare_tensors);
}

const Tensor *find_tensor(const Model *model, const char *name, const char *types, int rank, const int64_t *sides) {
    const Tensor *tensor = lookup(model, name);
    if (!tensor) fail("model: a tensor is missing");
    if (!strstr(types, tensor->type) || tensor->rank != rank) fail("model: a tensor has another type or rank");
    for (int i = 0; i < rank; i++)
        if (sides[i] >= 0 && tensor->sides[i] != sides[i]) fail("model: a tensor has another shape");
    return tensor;
}

const float *weights(const Model *model, const char *name, int d0, int d1, int d2, int d3) {
    const int64_t sides[4] = {d0, d1, d2, d3};
    return find_tensor(model, name, "F32 F16", d1 == 0 ? 1 : d2 == 0 ? 2 : 4, sides)->values;
}

static const Tensor *list(const Model *model, const char *name, const char *type, int64_t count) {
    return find_tensor(model, name, type, 1, &count);  // count -1: any
}

static void hash_model(Model *model, const Pairs *metadata) {
    Sha256 sha = {{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}, {0}, 0};
    static const char *const keys[] = {"architecture", "hyperparameters", "quantizer", "padding"};
    sha256_text(&sha, "neuralcodec-model 1\n");
    for (int i = 0; i < 4; i++) {
        sha256_text(&sha, keys[i]);
        sha256_text(&sha, "=");
        sha256_text(&sha, find_pair(metadata, keys[i])->text);
        sha256_text(&sha, "\n");
    }
    for (size_t i = 0; i < model->tensor_count; i++) {
        const Tensor *tensor = &model->tensors[i];
        sha256_text(&sha, tensor->name);
        sha256_text(&sha, "\n");
        sha256_text(&sha, tensor->type);
        sha256_text(&sha, "\n");
        for (int side = 0; side < tensor->rank; side++) {
            char decimal[32];
            snprintf(decimal, sizeof decimal, "%s%lld", side ? "," : "", (long long)tensor->sides[side]);
            sha256_text(&sha, decimal);
        }
        sha256_text(&sha, "\n");
        sha256_add(&sha, tensor->data, tensor->size);
    }
    sha256_finish(&sha, model->hash);
}

// Section 3, tables. `frequencies` holds those of the symbols and the escape in the table's order.
static Table make_table(int32_t offset, int32_t length, const int32_t *frequencies) {
    Table table = {offset, length, take((size_t)length + 2, sizeof(uint32_t))};
    for (int32_t i = 0; i <= length; i++) {
        if (frequencies[i] < 1) fail("model: a frequency is zero");
        table.start[i + 1] = table.start[i] + (uint32_t)frequencies[i];
    }
    if (table.start[length + 1] != 65536) fail("model: frequencies do not sum to 2^16");
    return table;
}

static void make_gaussian_tables(Model *model) {
    const Tensor *lengths = list(model, "gaussian.lengths", "I32", -1);
    const Tensor *frequencies = list(model, "gaussian.frequencies", "U16", -1);
    if (lengths->count < 1) fail("model: no scales");
    model->scale_count = (int)lengths->count;
    model->thresholds = list(model, "gaussian.thresholds", "F32", model->scale_count - 1)->values;
    for (int i = 0; i + 2 < model->scale_count; i++)
        if (!(model->thresholds[i] < model->thresholds[i + 1])) fail("model: thresholds do not ascend");
    model->gaussian = take(lengths->count, sizeof(Table));
    size_t at = 0;
    for (int i = 0; i < model->scale_count; i++) {
        int32_t k = lengths->integers[i];  // K; the file holds f_0 ... f_K and the escape's
        if (k < 0 || k > 32767 || (size_t)k + 2 > frequencies->count - at) fail("model: bad length of a table");
        const int32_t *f = frequencies->integers + at;
        int32_t *whole = take((size_t)(2 * k + 2), sizeof(int32_t));
        for (int32_t j = -k; j <= k; j++) whole[j + k] = f[j < 0 ? -j : j];
        whole[2 * k + 1] = f[k + 1];
        model->gaussian[i] = make_table(-k, 2 * k + 1, whole);
        drop(whole);
        at += (size_t)k + 2;
    }
    if (at != frequencies->count) fail("model: frequencies are left over");
}

static void make_prior_tables(Model *model) {
    const Tensor *offsets = list(model, "prior.offsets", "I32", model->hyper);
    const Tensor *lengths = list(model, "prior.lengths", "I32", model->hyper);
    const Tensor *frequencies = list(model, "prior.frequencies", "U16", -1);
    model->prior = take((size_t)model->hyper, sizeof(Table));
    size_t at = 0;
    for (int c = 0; c < model->hyper; c++) {
        int32_t offset = offsets->integers[c], length = lengths->integers[c];
        if (length < 1 || length > 65535 || (size_t)length + 1 > frequencies->count - at) fail("model: bad length of a table");
        if (offset < -(1 << 20) || offset > (1 << 20) - length + 1) fail("model: bad offset of a table");
        model->prior[c] = make_table(offset, length, frequencies->integers + at);
        at += (size_t)length + 1;
    }
    if (at != frequencies->count) fail("model: frequencies are left over");
}

static void require(const Pairs *metadata, const char *key, const char *value) {
    if (strcmp(find_pair(metadata, key)->text, value) != 0) fail("model: unsupported metadata");
}

static int hyperparameter(const Pairs *pairs, const char *name, int lowest, int multiple) {
    int64_t value = find_pair(pairs, name)->number;
    if (value < lowest || value > 4096 || value % multiple != 0) fail("model: a hyperparameter is out of range");
    return (int)value;
}

Model *load_model(const uint8_t *file, size_t size) {
    Model *model = take(1, sizeof(Model));
    if (size < 8 || little_endian(file, 8) > size - 8) fail("model: truncated");
    size_t header = (size_t)little_endian(file, 8);
    const uint8_t *data = file + 8 + header;
    Json json = {(const char *)file + 8, (const char *)data};

    const size_t capacity = 4096;
    const Pairs *metadata = NULL;
    model->tensors = take(capacity, sizeof(Tensor));
    for (int index = 0; json_next(&json, &index, '{', '}');) {
        char *name = json_key(&json);
        if (strcmp(name, "__metadata__") == 0) { metadata = json_pairs(&json, 0); continue; }
        if (model->tensor_count == capacity) fail("model: too many tensors");
        Tensor *tensor = &model->tensors[model->tensor_count++];
        *tensor = json_tensor(&json, name, data, size - 8 - header);
        convert(tensor);
    }
    if (!metadata) fail("model: no metadata");
    qsort(model->tensors, model->tensor_count, sizeof(Tensor), compare_tensors);
    for (size_t i = 1; i < model->tensor_count; i++)
        if (compare_tensors(&model->tensors[i - 1], &model->tensors[i]) == 0) fail("model: a tensor appears twice");

    require(metadata, "format", "neuralcodec-model");
    require(metadata, "format_version", "1");
    require(metadata, "architecture", "patch-checkerboard");
    require(metadata, "quantizer", "scalar");
    require(metadata, "padding", "replicate-64");
    const char *id = find_pair(metadata, "id")->text;
    size_t length = strlen(id);
    const char *letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    if (length < 1 || length > 8 || strspn(id, letters) != length) fail("model: bad id");
    memcpy(model->id, id, length);
    hash_model(model, metadata);

    const char *text = find_pair(metadata, "hyperparameters")->text;
    Json inner = {text, text + strlen(text)};
    const Pairs *numbers = json_pairs(&inner, 1);
    model->latent = hyperparameter(numbers, "latent_channels", 16, 16);
    model->core = hyperparameter(numbers, "core_channels", 16, 16);
    model->hyper = hyperparameter(numbers, "hyper_channels", 16, 16);
    model->context = hyperparameter(numbers, "context_channels", 16, 16);
    model->hidden = hyperparameter(numbers, "hidden_channels", 16, 16);
    model->render = hyperparameter(numbers, "render_channels", 16, 16);
    model->analysis_blocks = hyperparameter(numbers, "analysis_blocks", 0, 1);
    model->synthesis_blocks = hyperparameter(numbers, "synthesis_blocks", 0, 1);
    model->render_blocks = hyperparameter(numbers, "render_blocks", 0, 1);
    model->knots = hyperparameter(numbers, "knots", 2, 1);
    model->synthesis_mix = pair_if_any(numbers, "synthesis_mix_channels") ? hyperparameter(numbers, "synthesis_mix_channels", 16, 16) : 2 * model->core;
    model->separable_hidden = pair_if_any(numbers, "separable_hidden") ? hyperparameter(numbers, "separable_hidden", 0, 1) : 0;
    if (model->separable_hidden > 1) fail("model: a hyperparameter is out of range");
    if (model->core >= model->latent) fail("model: a hyperparameter is out of range");
    make_gaussian_tables(model);
    make_prior_tables(model);
    return model;
}
