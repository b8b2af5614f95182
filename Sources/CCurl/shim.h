// libcurl for Swift. Swift cannot call functions with variable arguments, so each type of argument has a function here.
#include <curl/curl.h>
#include <sys/socket.h>

static inline CURLcode reflector_curl_set_number(CURL *easy, CURLoption option, long value)
{
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode reflector_curl_set_text(CURL *easy, CURLoption option, const char *value)
{
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode reflector_curl_set_fields(CURL *easy, struct curl_slist *fields)
{
    return curl_easy_setopt(easy, CURLOPT_HTTPHEADER, fields);
}

// Sets the body of a POST. libcurl copies it.
static inline CURLcode reflector_curl_set_body(CURL *easy, const void *bytes, size_t count)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)count);
    return code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, bytes);
}

typedef size_t (*reflector_curl_receiver)(char *bytes, size_t one, size_t count, void *context);

// Sets the callbacks that receive the lines of the response's header and the bytes of its body.
// reflector_curl_context returns `context`.
static inline CURLcode reflector_curl_set_receivers(
    CURL *easy, reflector_curl_receiver head, reflector_curl_receiver body, void *context)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, head);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_HEADERDATA, context);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_WRITEDATA, context);
    if (code == CURLE_OK) code = curl_easy_setopt(easy, CURLOPT_PRIVATE, context);
    return code;
}

static inline void *reflector_curl_context(CURL *easy)
{
    char *context = NULL;
    return curl_easy_getinfo(easy, CURLINFO_PRIVATE, &context) == CURLE_OK ? context : NULL;
}

// The errno of the last failed connection attempt, or 0.
static inline long reflector_curl_errno(CURL *easy)
{
    long code = 0;
    return curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &code) == CURLE_OK ? code : 0;
}

static curl_socket_t reflector_curl_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    (void)context;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// Prevents programs that this process starts from inheriting its connections.
static inline CURLcode reflector_curl_close_on_exec(CURL *easy)
{
    return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, reflector_curl_open_socket);
}

// A receiver returns this to pause the transfer. It gets the same bytes again after reflector_curl_resume.
static inline size_t reflector_curl_pause(void)
{
    return CURL_WRITEFUNC_PAUSE;
}

static inline CURLcode reflector_curl_resume(CURL *easy)
{
    return curl_easy_pause(easy, CURLPAUSE_CONT);
}
