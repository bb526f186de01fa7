/* signals.c: handlers that end the process, and a wait for the first signal. */
#include "signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

static sigset_t end_set(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    return set;
}

static void end_now(int number)
{
    _exit(128 + number);
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
    struct sigaction end = {.sa_handler = end_now}, ignore = {.sa_handler = SIG_IGN};
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

int bq_signals_wait(uint64_t ms_max)
{
    const sigset_t set = end_set();
    const struct timespec limit = {.tv_sec = (time_t)(ms_max / 1000),
                                   .tv_nsec = (long)(ms_max % 1000 * 1000000)};
    siginfo_t info;
    int number;
    do
        number = sigtimedwait(&set, &info, ms_max ? &limit : NULL);
    while (number < 0 && errno != EAGAIN);
    if (number < 0)
        return 0;
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

void bq_signals_end_after(uint64_t ms)
{
    struct sigaction end = {.sa_handler = end_of_time};
    struct itimerval timer = {
        .it_value = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)}};
    sigaction(SIGALRM, &end, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
}
