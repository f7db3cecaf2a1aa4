#include "db_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "pxr_text.h"

/* Statements: how they are spelled for an engine, their parameters, and their rows. */

void pxr_db_arg_text(pxr_args_t *args, const char *text)
{
    args->values[args->count++] = text;
}

void pxr_db_arg_number(pxr_args_t *args, int64_t number)
{
    args->numbers[args->count] = number;
    args->values[args->count] = &args->numbers[args->count];
    args->count++;
}

/* Borrowed texts need not end with a NUL, and a NUL inside would cut them. */
static void put_borrowed(pxr_args_t *args, apr_pool_t *pool, const char *text, size_t len)
{
    if (text == NULL || len == 0) {
        text = "";
    } else {
        args->unfit = args->unfit || memchr(text, '\0', len) != NULL;
        text = apr_pstrmemdup(pool, text, len);
    }
    pxr_db_arg_text(args, text);
}

void pxr_db_arg_fields(pxr_args_t *args, apr_pool_t *pool, const pxr_field_t *fields, size_t count,
                       const void *record)
{
    for (const pxr_field_t *field = fields; field < fields + count; field++) {
        const char *at = (const char *)record + field->offset;
        switch (field->kind) {
        case PXR_FIELD_TEXT:
            pxr_db_arg_text(args, at);
            break;
        case PXR_FIELD_REF:
            put_borrowed(args, pool, *(const char *const *)(const void *)at,
                         *(const size_t *)(const void *)((const char *)record + field->size));
            break;
        case PXR_FIELD_I64:
        case PXR_FIELD_U64:
            pxr_db_arg_number(args, *(const int64_t *)(const void *)at);
            break;
        case PXR_FIELD_U32:
            pxr_db_arg_number(args, *(const uint32_t *)(const void *)at);
            break;
        case PXR_FIELD_U8:
            pxr_db_arg_number(args, *(const uint8_t *)(const void *)at);
            break;
        case PXR_FIELD_BOOL:
            pxr_db_arg_number(args, *(const bool *)(const void *)at);
            break;
        }
    }
}

pxr_db_status_t pxr_db_simple(pxr_db_t *db, const char *sql, char *value, size_t size)
{
    apr_dbd_results_t *results = NULL;
    apr_dbd_row_t *row = NULL;
    pxr_db_status_t status = pxr_db_usable(db);
    int code;

    if (status != PXR_DB_OK) {
        return status;
    }
    apr_pool_clear(db->scratch);
    /* A SELECT even for statements without rows: what gives rows differs (PRAGMA, SET). */
    code = apr_dbd_select(db->driver, db->scratch, db->handle, &results, sql, 1);
    if (code != 0) {
        return pxr_db_judge(db, code);
    }
    if (value != NULL) {
        *value = '\0';
        if (pxr_db_next(db, db->scratch, results, &row)) {
            const char *text = pxr_db_text(db, row, 0);
            pxr_text_copy(value, size, text, strlen(text));
        }
    }
    return PXR_DB_OK;
}

static const char *parameter(const pxr_field_t *field)
{
    return field->kind <= PXR_FIELD_REF ? "%s" : "%lld";
}

/* Writes a list; in `form` $ stands for the column and ? for the parameter. */
static void put_list(pxr_buf_t *out, const pxr_field_t *fields, size_t count, const char *form,
                     const char *between)
{
    for (size_t i = 0; i < count; i++) {
        pxr_buf_puts(out, i > 0 ? between : "");
        for (const char *c = form; *c != '\0'; c++) {
            if (*c == '$') {
                pxr_buf_puts(out, fields[i].column);
            } else if (*c == '?') {
                pxr_buf_puts(out, parameter(&fields[i]));
            } else {
                pxr_buf_put(out, c, 1);
            }
        }
    }
}

static bool put_engine_word(pxr_buf_t *out, const pxr_engine_t *engine, const char *word)
{
    if (strcmp(word, "clock") == 0) {
        pxr_buf_puts(out, engine->clock != NULL ? engine->clock : "0");
    } else if (strcmp(word, "began") == 0) {
        pxr_buf_puts(out, engine->began != NULL ? engine->began : "0");
    } else if (strcmp(word, "text") == 0) {
        pxr_buf_puts(out, engine->text);
        pxr_buf_puts(out, " NOT NULL DEFAULT ''");
    } else if (strcmp(word, "int") == 0) {
        pxr_buf_puts(out, "BIGINT NOT NULL DEFAULT 0");
    } else {
        return false;
    }
    return true;
}

static void put_table_word(pxr_buf_t *out, const pxr_table_t *table, const char *word)
{
    static const struct {
        const char *word;
        bool key;
        const char *form;
        const char *between;
    } lists[] = {{"keys", true, "$", ", "},     {"keyvalues", true, "?", ", "},
                 {"columns", false, "$", ", "}, {"match", true, "$ = ?", " AND "},
                 {"values", false, "?", ", "},  {"updates", false, "$ = excluded.$", ", "},
                 {"sets", false, "$ = ?", ", "}};

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        if (strcmp(word, lists[i].word) == 0) {
            put_list(out, lists[i].key ? table->keys : table->fields,
                     lists[i].key ? table->key_count : table->field_count, lists[i].form,
                     lists[i].between);
            return;
        }
    }
}

static const char *spell(pxr_db_t *db, apr_pool_t *pool, const pxr_table_t *table, const char *sql)
{
    char text[PXR_DB_SQL_MAX];
    pxr_buf_t out;

    pxr_buf_init(&out, text, sizeof(text));
    while (*sql != '\0') {
        size_t plain = strcspn(sql, "@");
        char word[16];
        size_t len = 0;
        pxr_buf_put(&out, sql, plain);
        sql += plain;
        if (*sql == '\0') {
            break;
        }
        sql++;
        while (*sql >= 'a' && *sql <= 'z' && len < sizeof(word) - 1) {
            word[len++] = *sql++;
        }
        word[len] = '\0';
        if (!put_engine_word(&out, db->engine, word) && table != NULL) {
            put_table_word(&out, table, word);
        }
    }
    return apr_pstrdup(pool, text);
}

const char *pxr_db_spell(pxr_db_t *db, apr_pool_t *pool, const char *sql)
{
    return spell(db, pool, NULL, sql);
}

/* Prepares at the first use: no connection needs all statements. */
static pxr_db_status_t find_prepared(pxr_db_t *db, const pxr_statement_t *statement,
                                     apr_dbd_prepared_t **prepared)
{
    pxr_db_status_t status = pxr_db_usable(db);
    char label[16];
    int code;

    if (status != PXR_DB_OK) {
        return status;
    }
    for (size_t i = 0; i < db->known_count; i++) {
        if (db->known[i].statement == statement) {
            *prepared = db->known[i].prepared;
            return PXR_DB_OK;
        }
    }
    if (db->known_count == PXR_DB_STATEMENTS) {
        return pxr_db_fail(db, PXR_DB_FAILED, "too many statements");
    }
    snprintf(label, sizeof(label), "pxr%zu", db->known_count);
    *prepared = NULL;
    code = apr_dbd_prepare(db->driver, db->pool, db->handle,
                           spell(db, db->pool, statement->table, statement->sql), label, prepared);
    if (code != 0) {
        return pxr_db_judge(db, code);
    }
    db->known[db->known_count].statement = statement;
    db->known[db->known_count].prepared = *prepared;
    db->known_count++;
    return PXR_DB_OK;
}

/* The drivers' interface is not const. */
static const void **loose(const pxr_args_t *args)
{
    return (const void **)(uintptr_t)args->values;
}

pxr_db_status_t pxr_db_run(pxr_db_t *db, const pxr_statement_t *statement, const pxr_args_t *args,
                           int *rows)
{
    apr_dbd_prepared_t *prepared;
    pxr_db_status_t status = find_prepared(db, statement, &prepared);
    apr_pool_t *pool;
    int changed = 0;
    int code;

    if (status != PXR_DB_OK) {
        return status;
    }
    if (args->unfit) {
        return pxr_db_fail(db, PXR_DB_REFUSED, "a text contains a NUL");
    }
    /* Not the scratch pool itself, which holds the caller's copies of texts. */
    apr_pool_create(&pool, db->scratch);
    code = apr_dbd_pbquery(db->driver, pool, db->handle, &changed, prepared, loose(args));
    if (code != 0) {
        status = pxr_db_judge(db, code);
    } else if (rows != NULL) {
        *rows = changed;
    }
    apr_pool_destroy(pool);
    return status;
}

pxr_db_status_t pxr_db_select(pxr_db_t *db, apr_pool_t *pool, const pxr_statement_t *statement,
                              const pxr_args_t *args, apr_dbd_results_t **results)
{
    apr_dbd_prepared_t *prepared;
    pxr_db_status_t status = find_prepared(db, statement, &prepared);
    int code;

    if (status != PXR_DB_OK) {
        return status;
    }
    *results = NULL;
    code = apr_dbd_pbselect(db->driver, pool, db->handle, results, prepared, 1, loose(args));
    return code == 0 ? PXR_DB_OK : pxr_db_judge(db, code);
}

pxr_db_status_t pxr_db_first(pxr_db_t *db, apr_pool_t *pool, const pxr_statement_t *statement,
                             const pxr_args_t *args, apr_dbd_row_t **row)
{
    apr_dbd_results_t *results;
    pxr_db_status_t status = pxr_db_select(db, pool, statement, args, &results);

    *row = NULL;
    return status == PXR_DB_OK && !pxr_db_next(db, pool, results, row) ? PXR_DB_MISSING : status;
}

bool pxr_db_next(pxr_db_t *db, apr_pool_t *pool, apr_dbd_results_t *results, apr_dbd_row_t **row)
{
    return apr_dbd_get_row(db->driver, pool, results, row, -1) == 0;
}

const char *pxr_db_text(pxr_db_t *db, apr_dbd_row_t *row, int column)
{
    const char *text = apr_dbd_get_entry(db->driver, row, column);

    return text != NULL ? text : "";
}

int64_t pxr_db_number(pxr_db_t *db, apr_dbd_row_t *row, int column)
{
    return strtoll(pxr_db_text(db, row, column), NULL, 10);
}
