// libcurl as Swift sees it, and its calls with variable arguments, one for each type of argument, which Swift cannot
// make.
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

// A body for POST. libcurl copies it.
static inline CURLcode reflector_curl_set_body(CURL *easy, const void *bytes, size_t count)
{
    CURLcode code = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)count);
    return code != CURLE_OK ? code : curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, bytes);
}

typedef size_t (*reflector_curl_receiver)(char *bytes, size_t one, size_t count, void *context);

// Who gets the lines of the head and the bytes of the body; `context` comes back from reflector_curl_context too.
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

// errno of the connection that failed; 0 for none.
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

// Programs that this process starts do not inherit its connections.
static inline CURLcode reflector_curl_close_on_exec(CURL *easy)
{
    return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, reflector_curl_open_socket);
}

// What a receiver returns to be asked again after curl_easy_pause.
static inline size_t reflector_curl_pause(void)
{
    return CURL_WRITEFUNC_PAUSE;
}

static inline CURLcode reflector_curl_resume(CURL *easy)
{
    return curl_easy_pause(easy, CURLPAUSE_CONT);
}
