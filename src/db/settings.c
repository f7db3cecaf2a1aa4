#include <apr_strings.h>

#include "pxr_db.h"

#define DEFAULT_DRIVER "sqlite3"
#define DEFAULT_FILE "/pexip-rc.sqlite3"

void pxr_db_complete(apr_pool_t *p, pxr_db_settings_t *settings, const char *directory)
{
    if (settings->driver == NULL) {
        settings->driver = DEFAULT_DRIVER;
    }
    if (settings->params == NULL) {
        settings->params = strcmp(settings->driver, DEFAULT_DRIVER) == 0
                               ? apr_pstrcat(p, directory, DEFAULT_FILE, NULL)
                               : "";
    }
}
