/* An HTTP/1.1 load generator of one thread, for Linux.

   load open|closed PORT PATH BODIES RECORDS ANSWERS CONNECTIONS LEVEL:SECONDS...

   Asks 127.0.0.1 by POST, with the lines of the file BODIES in turn. Open loop: LEVEL requests a second fall due, whatever
   the server does; what is due waits for a free connection, first come first served, and what still waits when a phase ends
   is never sent. Closed loop: LEVEL of the connections ask, each again as soon as it is answered.
   RECORDS gets five doubles for each request: the phase, when it was due, sent and answered (seconds), and the status: of
   HTTP, 0 where the connection broke or no answer came, -1 where it was never sent. ANSWERS, unless "-", gets a line for
   each: the body of its answer. Latency from when a request was due is free of coordinated omission. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { UNSENT = -1, BROKEN = 0, SECONDS_TO_ANSWER = 15 };

typedef struct { char *text; size_t length; } Request;
typedef struct {
    int socket, is_busy, phase;
    double due, sent;
    char *buffer;
    size_t held, room;
} Connection;

static int port, epoll, count, is_open, in_flight;
static Request *requests;
static size_t request_count, next_request;
static Connection *connections;
static int *free_ones, free_first, free_count; /* A ring, so that every connection is used. */
static FILE *records, *answers;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void read_requests(const char *path, const char *bodies) {
    FILE *file = fopen(bodies, "r");
    if (!file) die(bodies);
    char *line = NULL;
    size_t room = 0, allocated = 0;
    for (ssize_t length; (length = getline(&line, &room, file)) > 0;) {
        if (line[length - 1] == '\n') line[--length] = 0;
        if (request_count == allocated) {
            allocated = allocated ? 2 * allocated : 1024;
            requests = realloc(requests, allocated * sizeof *requests);
        }
        Request *request = &requests[request_count++];
        request->length = asprintf(&request->text,
                                   "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
                                   "Content-Length: %zd\r\n\r\n%s", path, port, length, line);
    }
    free(line);
    fclose(file);
    if (!request_count) { fprintf(stderr, "%s: no bodies\n", bodies); exit(1); }
}

static void record(int phase, double due, double sent, double done, int status, const char *body, size_t length) {
    double values[] = {phase, due, sent, done, status};
    fwrite(values, sizeof values, 1, records);
    if (answers) {
        fwrite(body, 1, length, answers);
        fputc('\n', answers);
    }
}

static void open_connection(Connection *connection) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int yes = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection->socket = socket(AF_INET, SOCK_STREAM, 0);
    connection->held = 0;
    /* One that is refused shows when it is written to. */
    if (connect(connection->socket, (struct sockaddr *)&address, sizeof address) && errno == EADDRNOTAVAIL) die("connect");
    setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection->socket, &event)) die("epoll_ctl");
}

static void reopen(Connection *connection) {
    close(connection->socket);
    open_connection(connection);
}

static void release(Connection *connection) {
    connection->is_busy = 0;
    in_flight--;
    free_ones[(free_first + free_count++) % count] = (int)(connection - connections);
}

static void finish(Connection *connection, int status, const char *body, size_t length) {
    record(connection->phase, connection->due, connection->sent, now(), status, body, length);
    release(connection);
}

static void ask(int phase, double due) {
    Connection *connection = &connections[free_ones[free_first]];
    Request *request = &requests[next_request++ % request_count];
    free_first = (free_first + 1) % count;
    free_count--;
    in_flight++;
    connection->is_busy = 1;
    connection->phase = phase;
    connection->sent = now();
    connection->due = is_open ? due : connection->sent;
    for (size_t written = 0; written < request->length;) {
        ssize_t part = send(connection->socket, request->text + written, request->length - written, MSG_NOSIGNAL);
        if (part < 0) {
            finish(connection, BROKEN, "", 0);
            reopen(connection);
            return;
        }
        written += part;
    }
}

/* The value of a header in the first `length` bytes, or NULL. */
static const char *header(const char *text, size_t length, const char *name) {
    size_t size = strlen(name);
    for (size_t place = 0; place + size < length; place++)
        if (text[place] == '\n' && !strncasecmp(text + place + 1, name, size)) return text + place + 1 + size;
    return NULL;
}

static void receive(Connection *connection) {
    if (connection->room - connection->held < 65536)
        connection->buffer = realloc(connection->buffer, connection->room = 2 * connection->room + 131072);
    ssize_t part = recv(connection->socket, connection->buffer + connection->held, 65536, MSG_DONTWAIT);
    if (part < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (part <= 0) {
        if (connection->is_busy) finish(connection, BROKEN, "", 0);
        reopen(connection);
        return;
    }
    connection->held += part;
    connection->buffer[connection->held] = 0;
    char *end = memmem(connection->buffer, connection->held, "\r\n\r\n", 4);
    if (!end) return;
    size_t head = end + 4 - connection->buffer;
    const char *length = header(connection->buffer, head, "content-length:");
    size_t body = length ? strtoul(length, NULL, 10) : 0;
    if (connection->held < head + body || !connection->is_busy) return;
    const char *kept = header(connection->buffer, head, "connection:");
    int is_closed = kept && !strncasecmp(kept + strspn(kept, " "), "close", 5);
    finish(connection, atoi(connection->buffer + 9), connection->buffer + head, body);
    connection->held = 0;
    if (is_closed) reopen(connection);
}

static void await(double until) {
    double left = until - now();
    struct timespec time = {.tv_sec = left > 0 ? (time_t)left : 0};
    time.tv_nsec = left > 0 ? (long)((left - time.tv_sec) * 1e9) : 0;
    struct pollfd ready = {.fd = epoll, .events = POLLIN};
    struct epoll_event events[256];
    if (ppoll(&ready, 1, &time, NULL) <= 0) return; /* In nanoseconds; epoll_wait counts milliseconds. */
    int found = epoll_wait(epoll, events, 256, 0);
    for (int place = 0; place < found; place++) receive(events[place].data.ptr);
}

static void run_phase(int phase, double level, double start, double end) {
    double sent = 0; /* A whole number. */
    for (double time; (time = now()) < end;) {
        if (is_open) {
            while (free_count && start + sent / level <= now()) {
                ask(phase, start + sent / level);
                sent++;
            }
            double due = start + sent / level;
            await(free_count && due < end ? due : end);
        } else {
            while (free_count && in_flight < (int)level) ask(phase, 0);
            await(end);
        }
    }
    if (is_open)
        for (double due; (due = start + sent / level) < end; sent++) record(phase, due, end, end, UNSENT, "", 0);
}

int main(int argument_count, char **arguments) {
    if (argument_count < 9) { fprintf(stderr, "see the head of load.c\n"); return 1; }
    is_open = !strcmp(arguments[1], "open");
    port = atoi(arguments[2]);
    read_requests(arguments[3], arguments[4]);
    if (!(records = fopen(arguments[5], "w"))) die(arguments[5]);
    if (strcmp(arguments[6], "-") && !(answers = fopen(arguments[6], "w"))) die(arguments[6]);
    count = atoi(arguments[7]);
    connections = calloc(count, sizeof *connections);
    free_ones = calloc(count, sizeof *free_ones);
    epoll = epoll_create1(0);
    for (int place = 0; place < count; place++) {
        open_connection(&connections[place]);
        free_ones[free_count++] = place;
    }
    double start = now();
    for (int place = 8; place < argument_count; place++) {
        double level = atof(arguments[place]), end = start + atof(strchr(arguments[place], ':') + 1);
        run_phase(place - 8, level, start, end);
        start = end;
    }
    for (double end = now() + SECONDS_TO_ANSWER; in_flight && now() < end;) await(end);
    for (int place = 0; place < count; place++)
        if (connections[place].is_busy) finish(&connections[place], BROKEN, "", 0);
    fclose(records);
    if (answers) fclose(answers);
    return 0;
}
