#include "status.h"

int pxr_setup_page(request_rec *r, const pxr_call_t *call)
{
    pxr_web_t web;

    if (!pxr_web_begin(&web, r, call, PXR_WEB_SETUP)) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    return pxr_web_end(&web);
}
