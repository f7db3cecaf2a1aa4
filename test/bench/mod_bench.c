/* What `make bench` compares with, inside the same httpd: handlers that do next to nothing. */

#include <httpd.h>
#include <http_config.h>
#include <http_protocol.h>
#include <http_request.h>

#include <apr_file_io.h>
#include <apr_strings.h>
#include <jansson.h>

extern __attribute__((visibility("default"))) module AP_MODULE_DECLARE_DATA bench_module;

#define BODY_MAX (16 * 1024 * 1024)

/* The bytes that are sent, per directory; read at start. */
typedef struct {
    const char *text;
    apr_size_t len;
    int status;
} answer_t;

static void *create_answer(apr_pool_t *p, char *directory)
{
    (void)directory;
    return apr_pcalloc(p, sizeof(answer_t));
}

static const char *read_answer(cmd_parms *cmd, void *conf, const char *path, const char *status)
{
    answer_t *answer = conf;
    apr_file_t *file;
    apr_finfo_t info;
    char *text;

    if (apr_file_open(&file, ap_server_root_relative(cmd->pool, path), APR_READ, 0, cmd->pool) !=
            APR_SUCCESS ||
        apr_file_info_get(&info, APR_FINFO_SIZE, file) != APR_SUCCESS) {
        return "cannot read the answer";
    }
    text = apr_pcalloc(cmd->pool, (apr_size_t)info.size + 1);
    if (apr_file_read_full(file, text, (apr_size_t)info.size, &answer->len) != APR_SUCCESS) {
        return "cannot read the answer";
    }
    answer->text = text;
    answer->status = atoi(status);
    return NULL;
}

static int send_answer(request_rec *r)
{
    const answer_t *answer = ap_get_module_config(r->per_dir_config, &bench_module);

    if (answer->text == NULL) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    r->status = answer->status;
    ap_set_content_type(r, "application/json");
    ap_set_content_length(r, (apr_off_t)answer->len);
    ap_rwrite(answer->text, (int)answer->len, r);
    return OK;
}

/* Any handler for events has to do this much. NULL where the body is too long or broken off. */
static char *read_body(request_rec *r, apr_size_t *len)
{
    apr_off_t length = 0;
    char *body;
    long got;

    if (ap_setup_client_block(r, REQUEST_CHUNKED_ERROR) != OK || !ap_should_client_block(r)) {
        return NULL;
    }
    length = r->remaining;
    if (length > BODY_MAX) {
        return NULL;
    }
    body = apr_palloc(r->pool, (apr_size_t)length + 1);
    *len = 0;
    while (*len < (apr_size_t)length &&
           (got = ap_get_client_block(r, body + *len, (apr_size_t)length - *len)) > 0) {
        *len += (apr_size_t)got;
    }
    body[*len] = '\0';
    return *len == (apr_size_t)length ? body : NULL;
}

static int handle(request_rec *r)
{
    apr_size_t len = 0;
    char *body;
    json_t *json;

    if (strcmp(r->handler, "bench-answer") == 0) {
        return send_answer(r);
    }
    if (strcmp(r->handler, "bench-discard") == 0) {
        return read_body(r, &len) != NULL ? send_answer(r) : HTTP_BAD_REQUEST;
    }
    if (strcmp(r->handler, "bench-jansson") != 0) {
        return DECLINED;
    }
    body = read_body(r, &len);
    json = body != NULL ? json_loadb(body, len, 0, NULL) : NULL;
    if (json == NULL) {
        return HTTP_BAD_REQUEST;
    }
    json_decref(json);
    return send_answer(r);
}

static const command_rec directives[] = {
    AP_INIT_TAKE2("BenchAnswer", read_answer, NULL, ACCESS_CONF, "file with the bytes, status"),
    {.name = NULL},
};

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_handler(handle, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(bench) = {
    STANDARD20_MODULE_STUFF, create_answer, NULL, NULL, NULL, directives, register_hooks,
    AP_MODULE_FLAG_NONE,
};
