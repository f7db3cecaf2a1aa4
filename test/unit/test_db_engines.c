#include "db_helpers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* What differs: damaged files and full disks, and servers that hang or go away. */

/* SQLite alone */

static void sets_a_damaged_file_aside(void **state)
{
    world_t w;
    char name[600], path[600];
    FILE *file;
    pxr_db_t *db;

    (void)state;
    world_settle(&w);
    assert_int_equal(pxr_db_set_aside(&w.settings, name, sizeof(name)), PXR_DB_MISSING);
    file = fopen(w.params, "w");
    for (int i = 0; i < 1000; i++) {
        fputs("This is no database. ", file);
    }
    fclose(file);
    snprintf(path, sizeof(path), "%s-wal", w.params);
    file = fopen(path, "w");
    fputs("x", file);
    fclose(file);
    assert_int_equal(pxr_db_open(&db, &w.settings, PXR_DB_KEEPER), PXR_DB_DAMAGED);
    assert_non_null(strstr(pxr_db_why(db), w.params));
    pxr_db_close(db);
    assert_int_equal(pxr_db_set_aside(&w.settings, name, sizeof(name)), PXR_DB_OK);
    assert_int_equal(strncmp(name, w.params, strlen(w.params)), 0);
    assert_non_null(strstr(name, ".damaged-2"));
    assert_int_equal(access(name, F_OK), 0);
    w.db = open_as(&w.settings, PXR_DB_KEEPER);
    world_close(&w);
}

static void notices_damage_while_at_work(void **state)
{
    world_t w;
    pxr_meeting_record_t m;
    seen_t seen = {0};
    pxr_db_visitor_t visitor = into(&seen);
    char id[24];
    FILE *file;
    pxr_db_t *db;

    (void)state;
    world_open(&w);
    begin(w.db);
    for (int i = 0; i < 300; i++) {
        snprintf(id, sizeof(id), "Meet%04d", i);
        m = meeting(id);
        OK(w.db, pxr_db_put_meeting(w.db, &m));
    }
    commit(w.db);
    pxr_db_close(w.db);
    file = fopen(w.params, "r+");
    fseek(file, 0, SEEK_END);
    for (long at = 24 * 4096, end = ftell(file); at < end; at += 4096) {
        fseek(file, at, SEEK_SET);
        fwrite("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 1, 8, file);
    }
    fclose(file);
    w.db = NULL;
    db = open_as(&w.settings, PXR_DB_KEEPER);
    assert_int_equal(pxr_db_pull(db, 0, &visitor), PXR_DB_DAMAGED);
    pxr_db_close(db);
    seen_free(&seen);
    world_close(&w);
}

static void a_directory_that_cannot_be_written_fails(void **state)
{
    world_t w;
    int status;
    pid_t pid;

    (void)state;
    world_open(&w);
    assert_int_equal(chmod(directory, 0555), 0);
    assert_int_equal(chmod(w.params, 0444), 0);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        pxr_db_t *db;
        char path[128];
        pxr_db_settings_t absent = w.settings;
        pxr_db_status_t there, not_there;
        if (geteuid() == 0 && setuid(65534) != 0) {
            _exit(9);
        }
        there = pxr_db_open(&db, &w.settings, PXR_DB_KEEPER);
        snprintf(path, sizeof(path), "%s/other.db", directory);
        absent.params = path;
        not_there = pxr_db_open(&db, &absent, PXR_DB_KEEPER);
        _exit(there == PXR_DB_FAILED && not_there == PXR_DB_FAILED &&
                      strstr(pxr_db_why(db), "Permission denied") != NULL
                  ? 0
                  : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(chmod(directory, 0700), 0);
    world_close(&w);
}

static void a_full_disk_fails_and_loses_nothing(void **state)
{
    static char answer[PXR_ANSWER_MAX];
    world_t w;
    char path[160];
    pxr_db_settings_t settings;
    pxr_db_status_t status = PXR_DB_OK;
    pxr_db_head_t head;
    int committed = 0;
    pxr_db_t *db;

    (void)state;
    world_settle(&w);
    if (geteuid() != 0 || mount("tmpfs", directory, "tmpfs", 0, "size=768k") != 0) {
        remove_files();
        print_message("SKIPPED: no file system of our own can be mounted\n");
        skip();
    }
    memset(answer, 'a', sizeof(answer));
    snprintf(path, sizeof(path), "%s/meetings.db", directory);
    settings = w.settings;
    settings.params = path;
    db = open_as(&settings, PXR_DB_KEEPER);
    for (int i = 0; i < 500 && status == PXR_DB_OK; i++) {
        pxr_meeting_record_t m;
        char id[24];
        snprintf(id, sizeof(id), "Full%04d", i);
        m = meeting(id);
        m.answer = answer;
        m.answer_len = sizeof(answer);
        status = pxr_db_begin(db, &head);
        if (status == PXR_DB_OK) {
            status = pxr_db_put_meeting(db, &m);
            status = status == PXR_DB_OK ? pxr_db_commit(db) : status;
        }
        if (status == PXR_DB_OK) {
            committed++;
        } else {
            pxr_db_rollback(db);
        }
    }
    assert_int_equal(status, PXR_DB_FAILED);
    assert_non_null(strstr(pxr_db_why(db), "full"));
    assert_true(committed > 5);
    pxr_db_close(db);
    assert_int_equal(atoi(raw_on(path, "SELECT COUNT(*) FROM meeting")), committed);
    assert_int_equal(umount(directory), 0);
    remove_files();
}

/* PostgreSQL alone */

static void *begin_only(void *context)
{
    rival_t *rival = context;

    do {
        rival->status = pxr_db_begin(rival->db, &rival->head);
    } while (rival->status == PXR_DB_BUSY);
    return NULL;
}

static void releases_a_call_that_hangs(void **state)
{
    world_t w;
    rival_t rival = {0};
    pthread_t thread;
    pxr_time_t before;

    (void)state;
    world_open(&w);
    rival.db = open_as(&w.other, PXR_DB_KEEPER);
    begin(w.db);
    assert_int_equal(pthread_create(&thread, NULL, begin_only, &rival), 0);
    sleep_ms(200);
    before = pxr_time_now();
    pxr_db_release(rival.db);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(pxr_time_now() - before < PXR_SECOND);
    assert_int_equal(rival.status, PXR_DB_FAILED);
    assert_int_equal(pxr_db_look(rival.db, &rival.head), PXR_DB_FAILED);
    pxr_db_close(rival.db);
    commit(w.db);
    world_close(&w);
}

static void *open_only(void *context)
{
    rival_t *rival = context;

    rival->status = pxr_db_open(&rival->db, rival->settings, PXR_DB_KEEPER);
    return NULL;
}

/* A port where nobody says anything. */
static int silent_listener(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

/* 0 where the thread was ended. */
static int release_while_connecting(int port)
{
    char params[128];
    pxr_db_settings_t settings = {"pgsql", params, "00000000000000aa"};
    rival_t rival = {.settings = &settings};
    pthread_t thread;
    void *result = NULL;

    snprintf(params, sizeof(params), "host=127.0.0.1 port=%d connect_timeout=60", port);
    if (pthread_create(&thread, NULL, open_only, &rival) != 0) {
        return 2;
    }
    sleep_ms(300);
    pxr_db_release(__atomic_load_n(&rival.db, __ATOMIC_ACQUIRE));
    pxr_db_release(rival.db);
    if (pthread_join(thread, &result) != 0 || result != PTHREAD_CANCELED) {
        return 3;
    }
    pxr_db_close(rival.db);
    return 0;
}

static void releases_a_connection_that_never_comes(void **state)
{
    int port, status, fd = silent_listener(&port);
    pid_t pid;

    (void)state;
    fflush(NULL);
    /* In a process of its own, as such a connection is never freed. */
    pid = fork();
    if (pid == 0) {
        alarm(20);
        _exit(release_while_connecting(port));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    close(fd);
}

static void tells_no_secrets(void **state)
{
    pxr_db_settings_t settings = {"pgsql", NULL, "00000000000000aa"};
    pxr_db_t *db;
    const char *why;

    (void)state;
    settings.params = "host=127.0.0.1 port=1 user=pxr password=SeCrEt";
    assert_null(pxr_db_check(process_pool, &settings));
    assert_int_equal(pxr_db_open(&db, &settings, PXR_DB_KEEPER), PXR_DB_FAILED);
    assert_non_null(strstr(pxr_db_why(db), "127.0.0.1"));
    assert_null(strchr(pxr_db_why(db), '\n'));
    assert_null(strstr(pxr_db_why(db), "SeCrEt"));
    pxr_db_close(db);
    settings.params = "host=127.0.0.1 port=1 user=pxr password=two SeCrEt";
    why = pxr_db_check(process_pool, &settings);
    assert_non_null(why);
    assert_null(strstr(why, "SeCrEt"));
    assert_int_equal(pxr_db_open(&db, &settings, PXR_DB_KEEPER), PXR_DB_FAILED);
    assert_null(strstr(pxr_db_why(db), "SeCrEt"));
    pxr_db_close(db);
    settings.params = "postgresql://pxr:SeCrEt@127.0.0.1:1/pxr";
    assert_int_equal(pxr_db_open(&db, &settings, PXR_DB_KEEPER), PXR_DB_FAILED);
    assert_non_null(strstr(pxr_db_why(db), "refused"));
    assert_null(strstr(pxr_db_why(db), "SeCrEt"));
    pxr_db_close(db);
}

static void a_lost_connection_fails_and_another_works(void **state)
{
    world_t w;
    pxr_db_head_t head;
    char sql[160];

    (void)state;
    world_open(&w);
    begin(w.db);
    snprintf(sql, sizeof(sql),
             "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
             " AND application_name = 'mod_pexip_rc'");
    assert_string_equal(raw(&w, sql), "t");
    assert_int_equal(pxr_db_sign(w.db, true), PXR_DB_FAILED);
    assert_int_equal(pxr_db_commit(w.db), PXR_DB_FAILED);
    assert_int_equal(pxr_db_look(w.db, &head), PXR_DB_FAILED);
    assert_int_equal(pxr_db_begin(w.db, &head), PXR_DB_FAILED);
    pxr_db_close(w.db);
    w.db = open_as(&w.settings, PXR_DB_KEEPER);
    assert_int_equal(look(w.db).revision, 0);
    world_close(&w);
}

static void fills_in_where_the_default_keeps_its_file(void **state)
{
    pxr_db_settings_t nothing = {0};
    pxr_db_settings_t given = {.driver = "sqlite3", .params = "/x/y.db"};
    pxr_db_settings_t none = {.driver = PXR_DB_NONE};

    (void)state;
    pxr_db_complete(process_pool, &nothing, "/var/lib/pexip-rc");
    assert_string_equal(nothing.driver, "sqlite3");
    assert_string_equal(nothing.params, "/var/lib/pexip-rc/pexip-rc.sqlite3");
    pxr_db_complete(process_pool, &given, "/var/lib/pexip-rc");
    assert_string_equal(given.params, "/x/y.db");
    pxr_db_complete(process_pool, &none, "/var/lib/pexip-rc");
    assert_string_equal(none.driver, PXR_DB_NONE);
    assert_string_equal(none.params, "");
}

static void unknown_drivers_are_refused(void **state)
{
    pxr_db_settings_t settings = {"oracle", "x", "00000000000000aa"};
    pxr_db_t *db;
    char name[8];

    (void)state;
    assert_non_null(strstr(pxr_db_check(process_pool, &settings), "oracle"));
    assert_int_equal(pxr_db_open(&db, &settings, PXR_DB_KEEPER), PXR_DB_FAILED);
    pxr_db_close(db);
    assert_false(pxr_db_is_shared(&settings));
    assert_int_equal(pxr_db_set_aside(&settings, name, sizeof(name)), PXR_DB_MISSING);
}

int main(void)
{
    const struct CMUnitTest sqlite[] = {
        cmocka_unit_test(sets_a_damaged_file_aside),
        cmocka_unit_test(notices_damage_while_at_work),
        cmocka_unit_test(a_directory_that_cannot_be_written_fails),
        cmocka_unit_test(a_full_disk_fails_and_loses_nothing),
        cmocka_unit_test(unknown_drivers_are_refused),
        cmocka_unit_test(fills_in_where_the_default_keeps_its_file),
    };
    const struct CMUnitTest pgsql[] = {
        cmocka_unit_test(releases_a_call_that_hangs),
        cmocka_unit_test(releases_a_connection_that_never_comes),
        cmocka_unit_test(tells_no_secrets),
        cmocka_unit_test(a_lost_connection_fails_and_another_works),
    };

    return RUN_ON("sqlite3", sqlite) + RUN_ON("pgsql", pgsql);
}
