#include "db_internal.h"

#include <string.h>

#include "pxr_text.h"

static void load_field(pxr_db_t *db, apr_dbd_row_t *row, int column, const pxr_field_t *field,
                       void *record)
{
    void *at = (char *)record + field->offset;
    const char *text = pxr_db_text(db, row, column);

    switch (field->kind) {
    case PXR_FIELD_TEXT:
        pxr_text_copy(at, field->size, text, strlen(text));
        break;
    case PXR_FIELD_REF:
        *(const char **)at = text;
        *(size_t *)(void *)((char *)record + field->size) = strlen(text);
        break;
    case PXR_FIELD_I64:
    case PXR_FIELD_U64:
        *(int64_t *)at = pxr_db_number(db, row, column);
        break;
    case PXR_FIELD_U32:
        *(uint32_t *)at = (uint32_t)pxr_db_number(db, row, column);
        break;
    case PXR_FIELD_U8:
        *(uint8_t *)at = (uint8_t)pxr_db_number(db, row, column);
        break;
    case PXR_FIELD_BOOL:
        *(bool *)at = pxr_db_number(db, row, column) != 0;
        break;
    }
}

static void load(pxr_db_t *db, apr_dbd_row_t *row, const pxr_table_t *table, void *record)
{
    int column = 2;

    for (size_t i = 0; i < table->key_count; i++) {
        load_field(db, row, column++, &table->keys[i], record);
    }
    for (size_t i = 0; i < table->field_count; i++) {
        load_field(db, row, column++, &table->fields[i], record);
    }
}

pxr_db_status_t pxr_db_page(pxr_db_t *db, const pxr_statement_t *statement, const pxr_args_t *args,
                            const pxr_db_visitor_t *visitor, void *record, int64_t *mark,
                            size_t *rows, bool *ended)
{
    apr_dbd_results_t *results;
    apr_dbd_row_t *row = NULL;
    apr_pool_t *pool;
    pxr_db_status_t status;

    *rows = 0;
    *ended = false;
    apr_pool_create(&pool, db->pool);
    status = pxr_db_select(db, pool, statement, args, &results);
    while (status == PXR_DB_OK && !*ended && pxr_db_next(db, pool, results, &row)) {
        *mark = pxr_db_number(db, row, 0);
        load(db, row, statement->table, record);
        *ended = !statement->table->visit(visitor, record, pxr_db_number(db, row, 1) != 0);
        ++*rows;
    }
    apr_pool_destroy(pool);
    return status;
}

pxr_db_status_t pxr_db_snapshot(pxr_db_t *db, bool *mine)
{
    *mine = !db->inside;
    return *mine ? pxr_db_simple(db, db->engine->begin_reading, NULL, 0) : pxr_db_inside(db);
}

pxr_db_status_t pxr_db_snapshot_end(pxr_db_t *db, bool mine, pxr_db_status_t status)
{
    pxr_db_status_t end = PXR_DB_OK;

    if (mine && status != PXR_DB_OK) {
        /* The reason must remain the first one. */
        char why[PXR_DB_WHY_MAX];
        memcpy(why, db->why, sizeof(why));
        pxr_db_simple(db, "ROLLBACK", NULL, 0);
        memcpy(db->why, why, sizeof(why));
    } else if (mine) {
        end = pxr_db_simple(db, "COMMIT", NULL, 0);
    }
    return status != PXR_DB_OK ? status : end;
}
