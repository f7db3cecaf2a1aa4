#include "pxr_httpd.h"

#include <apr_strings.h>

/* A file of one or two short lines, no more. */
#define FILE_MAX 4096

static char *take_line(char **text)
{
    char *line = *text;
    char *end = strchr(line, '\n');

    if (end != NULL) {
        *text = end + 1;
    } else {
        end = line + strlen(line);
        *text = end;
    }
    if (end > line && end[-1] == '\r') {
        end--;
    }
    *end = '\0';
    return line;
}

static bool is_usable(const char *line)
{
    for (const char *c = line; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7F) {
            return false;
        }
    }
    return line[0] != '\0';
}

const char *pxr_read_lines(apr_pool_t *p, const char *path, const char **lines, int count,
                           int *too_open)
{
    apr_file_t *file;
    apr_finfo_t info;
    apr_size_t len = FILE_MAX;
    char *text = apr_palloc(p, FILE_MAX + 1);
    char *rest = text;
    const char *wrong = count == 1 ? "must have exactly one line, which is not empty"
                                   : "must have exactly two lines, neither of them empty";
    char reason[120];
    apr_status_t rv = apr_file_open(&file, path, APR_FOPEN_READ, APR_FPROT_OS_DEFAULT, p);

    if (rv != APR_SUCCESS) {
        return apr_psprintf(p, "cannot be read: %s", apr_strerror(rv, reason, sizeof(reason)));
    }
    rv = apr_file_info_get(&info, APR_FINFO_TYPE | APR_FINFO_SIZE | APR_FINFO_PROT, file);
    if (rv == APR_SUCCESS && (info.filetype != APR_REG || info.size > FILE_MAX)) {
        apr_file_close(file);
        return "must be a plain file of at most 4096 bytes";
    }
    if (rv == APR_SUCCESS) {
        rv = apr_file_read_full(file, text, FILE_MAX, &len);
        rv = APR_STATUS_IS_EOF(rv) ? APR_SUCCESS : rv;
    }
    apr_file_close(file);
    if (rv != APR_SUCCESS) {
        return apr_psprintf(p, "cannot be read: %s", apr_strerror(rv, reason, sizeof(reason)));
    }
    text[len] = '\0';
    *too_open = (info.protection & (APR_FPROT_WREAD | APR_FPROT_WWRITE | APR_FPROT_GWRITE)) != 0;
    if (strlen(text) < len) {
        return "must not contain NUL bytes";
    }
    for (int i = 0; i < count; i++) {
        lines[i] = take_line(&rest);
        if (!is_usable(lines[i])) {
            return wrong;
        }
    }
    return rest[strspn(rest, "\r\n")] == '\0' ? NULL : wrong;
}
