/*
 * project.c: files written for people.
 *
 * A new project overwrites nothing: whether something is in the way is asked before the first
 * file is written, and O_EXCL asks again. Annotations are the server's own and are replaced.
 */
#include "project.h"

#include "base/buf.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/rc.h"
#include "modules.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANNOTATIONS    ".barq"
#define NAME_MAX_BYTES 64
#define PATH_BYTES     4096

struct writing {
    const char *folder;
    bq_str name; /* for "{{name}}"; empty: files are written as they are */
    int flags;   /* of open: O_EXCL or O_TRUNC */
    struct bq_config_error *error;
    struct bq_buf
        made; /* paths of what was not there before, each with its NUL; folders end in "/" */
};

static int fail(struct bq_config_error *error, const char *what, const char *path)
{
    snprintf(error->text, sizeof error->text, "cannot %s \"%.300s\": %s", what, path,
             strerror(errno));
    return BQ_SYSTEM;
}

static int fail_memory(struct bq_config_error *error)
{
    snprintf(error->text, sizeof error->text, "out of memory");
    return BQ_MEMORY;
}

static int join(char out[static PATH_BYTES], const char *folder, const char *path,
                struct bq_config_error *error)
{
    int n = snprintf(out, PATH_BYTES, "%s/%s", folder, path);
    if (n >= 0 && n < PATH_BYTES)
        return BQ_OK;
    errno = ENAMETOOLONG;
    return fail(error, "write below", folder);
}

/* --- what is made, so that it can be unmade ------------------------------------------------ */

static int note_made(struct writing *w, const char *path, bool folder)
{
    if (bq_buf_printf(&w->made, "%s%s%c", path, folder ? "/" : "", '\0') == BQ_OK)
        return BQ_OK;
    remove(path);
    return fail_memory(w->error);
}

/* The last first, so that folders are empty when their turn comes. */
static void unmake(struct writing *w)
{
    const bq_str made = bq_buf_str(&w->made);
    size_t end = made.n;
    while (end > 0) {
        size_t begin = end - 1;
        while (begin > 0 && made.p[begin - 1] != '\0')
            begin--;
        const char *path = made.p + begin;
        if (path[strlen(path) - 1] == '/')
            rmdir(path);
        else
            unlink(path);
        end = begin;
    }
}

/* --- writing ------------------------------------------------------------------------------- */

static int make_folder(struct writing *w, const char *path)
{
    if (mkdir(path, 0777) == 0)
        return note_made(w, path, true);
    return errno == EEXIST ? BQ_OK : fail(w->error, "make the folder", path);
}

/* The folders on the way to a file. */
static int make_folders(struct writing *w, char *path)
{
    int rc = BQ_OK;
    for (char *slash = strchr(path + 1, '/'); rc == BQ_OK && slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        rc = make_folder(w, path);
        *slash = '/';
    }
    return rc;
}

static bool write_all(int fd, bq_str s)
{
    while (s.n) {
        if (BQ_FAULT(write)) {
            errno = ENOSPC;
            return false;
        }
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0)
            return false;
        s = bq_str_of(s.p + n, s.n - (size_t)n);
    }
    return true;
}

static int write_file(struct writing *w, const char *path, bq_str content)
{
    bool was_there = access(path, F_OK) == 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | w->flags, 0666);
    if (fd < 0)
        return fail(w->error, "write", path);
    int rc = was_there ? BQ_OK : note_made(w, path, false);
    if (rc == BQ_OK && !write_all(fd, content))
        rc = fail(w->error, "write", path);
    if (close(fd) != 0 && rc == BQ_OK)
        rc = fail(w->error, "write", path);
    return rc;
}

/* The template with the project's name in it. */
static int fill_in(bq_str template, bq_str name, struct bq_buf *out)
{
    static const char mark[] = "{{name}}";
    const char *end = template.p + template.n;
    int rc = BQ_OK;
    while (rc == BQ_OK) {
        const char *at = memmem(template.p, template.n, mark, sizeof mark - 1);
        if (!at)
            return bq_buf_append(out, template);
        rc = bq_buf_append(out, bq_str_of(template.p, (size_t)(at - template.p)));
        if (rc == BQ_OK)
            rc = bq_buf_append(out, name);
        template = bq_str_of(at + sizeof mark - 1, (size_t)(end - at) - (sizeof mark - 1));
    }
    return rc;
}

static int write_one(struct writing *w, const char *relative, bq_str template)
{
    char path[PATH_BYTES];
    struct bq_buf content = BQ_BUF_INIT;
    int rc = join(path, w->folder, relative, w->error);
    if (rc == BQ_OK)
        rc = make_folders(w, path);
    if (rc == BQ_OK && w->name.n && fill_in(template, w->name, &content) != BQ_OK)
        rc = fail_memory(w->error);
    if (rc == BQ_OK)
        rc = write_file(w, path, w->name.n ? bq_buf_str(&content) : template);
    bq_buf_release(&content);
    return rc;
}

static int write_list(struct writing *w, const struct bq_file *files)
{
    int rc = BQ_OK;
    for (const struct bq_file *f = files; rc == BQ_OK && f->path; f++)
        rc = write_one(w, f->path, bq_str_of((const char *)f->bytes, f->n));
    return rc;
}

/* --- annotations --------------------------------------------------------------------------- */

/* Modules lie where require looks for them: "@barq:barq/group.lua" is barq/group.lua. */
static int write_annotations(struct writing *w)
{
    int rc = write_list(w, bq_meta_files);
    for (const struct bq_lua_source *s = bq_lua_sources; rc == BQ_OK && s->name; s++)
        rc = write_one(w, strchr(s->chunkname, ':') + 1, bq_str_of((const char *)s->bytes, s->n));
    return rc;
}

int bq_project_annotate(const char *folder, struct bq_config_error *error)
{
    struct writing w = {folder, BQ_STR(""), O_TRUNC, error, BQ_BUF_INIT};
    int rc = write_annotations(&w);
    bq_buf_release(&w.made);
    return rc;
}

/* --- a new project ------------------------------------------------------------------------- */

/* It becomes part of Lua, Markdown and a container's name. */
static bool is_name(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return s[n] == '\0' && n > 0 && n <= NAME_MAX_BYTES && s[0] != '.' && s[0] != '-';
}

/* The last part of the folder's path, as it is on disk if it is: for "." too. */
static int find_name(const char *folder, char name[static NAME_MAX_BYTES + 1],
                     struct bq_config_error *error)
{
    char path[PATH_MAX];
    if (!realpath(folder, path))
        snprintf(path, sizeof path, "%s", folder);
    for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
        path[n - 1] = '\0';
    const char *slash = strrchr(path, '/');
    const char *last = slash ? slash + 1 : path;
    if (is_name(last)) {
        memcpy(name, last, strlen(last) + 1);
        return BQ_OK;
    }
    snprintf(error->text, sizeof error->text,
             "\"%.100s\" is no name for a project: take up to %d letters, digits, \"-\", \"_\" and "
             "\".\", a letter or digit first",
             last, NAME_MAX_BYTES);
    return BQ_INVALID;
}

/* Names all that is in the way at once. */
static int check_way(const char *folder, struct bq_config_error *error)
{
    char path[PATH_BYTES], names[256] = "";
    struct stat st;
    for (const struct bq_file *f = bq_project_files; f->path; f++) {
        int rc = join(path, folder, f->path, error);
        if (rc != BQ_OK)
            return rc;
        size_t used = strlen(names);
        if (lstat(path, &st) == 0)
            snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", f->path);
    }
    if (!*names)
        return BQ_OK;
    snprintf(error->text, sizeof error->text,
             "\"%.150s\" has these already, and nothing is overwritten: %s", folder, names);
    return BQ_INVALID;
}

int bq_project_new(const char *folder, struct bq_config_error *error)
{
    char name[NAME_MAX_BYTES + 1], annotations[PATH_BYTES];
    int rc = find_name(folder, name, error);
    if (rc == BQ_OK)
        rc = check_way(folder, error);
    if (rc == BQ_OK)
        rc = join(annotations, folder, ANNOTATIONS, error);
    if (rc != BQ_OK)
        return rc;
    struct writing w = {folder, bq_str_cstr(name), O_EXCL, error, BQ_BUF_INIT};
    rc = write_list(&w, bq_project_files);
    if (rc == BQ_OK) {
        w.folder = annotations;
        w.name = BQ_STR("");
        w.flags = O_TRUNC;
        rc = write_annotations(&w);
    }
    if (rc != BQ_OK)
        unmake(&w);
    bq_buf_release(&w.made);
    return rc;
}
