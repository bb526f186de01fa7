/* signals.c: handlers that end the process, and a wait for the first signal. */
#include "signals.h"

#include "base/rc.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

/* What one who waits for an answer queues with the signal, and the signal of the answer: one whose
 * default is that nothing happens. */
#define ASKING 0x62617271
#define ANSWER SIGURG

static sigset_t end_set(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    return set;
}

static bool is_asking(const siginfo_t *info)
{
    return info->si_code == SI_QUEUE && info->si_value.sival_int == ASKING && info->si_pid > 0;
}

static void end_now(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (!is_asking(info))
        _exit(128 + number);
    int reason = errno;
    bq_signals_answer(info->si_pid, BQ_SIGNALS_TOO_EARLY);
    errno = reason;
}

static void end_of_time(int number)
{
    static const char text[] = "barq-server: drain_timeout has passed, the end is cut short\n";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    (void)number;
    _exit(0);
}

void bq_signals_init(void)
{
    struct sigaction end = {.sa_sigaction = end_now, .sa_flags = SA_SIGINFO | SA_RESTART},
                     ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGINT, &end, NULL);
    sigaction(SIGTERM, &end, NULL);
    sigaction(SIGHUP, &end, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

void bq_signals_block(void)
{
    sigset_t set = end_set();
    sigaddset(&set, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void bq_signals_unblock(void)
{
    sigset_t set = end_set();
    sigaddset(&set, SIGALRM);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static struct timespec span(uint64_t ms)
{
    return (struct timespec){.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000 * 1000000)};
}

int bq_signals_wait(uint64_t ms_max, pid_t *asker)
{
    const sigset_t set = end_set();
    const struct timespec limit = span(ms_max);
    siginfo_t info;
    int number;
    do
        number = sigtimedwait(&set, &info, ms_max ? &limit : NULL);
    while (number < 0 && errno != EAGAIN);
    *asker = 0;
    if (number < 0)
        return 0;
    if (is_asking(&info))
        *asker = info.si_pid;
    if (number == SIGHUP && info.si_code != SI_KERNEL)
        return number;
    bq_signals_unblock();
    return number;
}

bool bq_signals_is_end_due(void)
{
    sigset_t set;
    return sigpending(&set) == 0 && (sigismember(&set, SIGINT) || sigismember(&set, SIGTERM));
}

static sigset_t answer_set(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, ANSWER);
    return set;
}

int bq_signals_ask(pid_t pid, int number)
{
    const sigset_t set = answer_set();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return sigqueue(pid, number, (union sigval){.sival_int = ASKING}) == 0 ? BQ_OK : BQ_SYSTEM;
}

bool bq_signals_wait_answer(pid_t pid, uint64_t ms_max, int *value)
{
    const sigset_t set = answer_set();
    const struct timespec limit = span(ms_max);
    siginfo_t info;
    if (sigtimedwait(&set, &info, &limit) != ANSWER || info.si_code != SI_QUEUE ||
        info.si_pid != pid)
        return false;
    *value = info.si_value.sival_int;
    return true;
}

void bq_signals_answer(pid_t asker, int value)
{
    if (asker > 0)
        sigqueue(asker, ANSWER, (union sigval){.sival_int = value});
}

void bq_signals_end_after(uint64_t ms)
{
    struct sigaction end = {.sa_handler = end_of_time};
    struct itimerval timer = {
        .it_value = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)}};
    sigaction(SIGALRM, &end, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}
