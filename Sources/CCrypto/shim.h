// The parts of libcrypto (OpenSSL 3) that we use, and calls that Swift cannot make itself because they take arrays of
// OSSL_PARAM. An OSSL_PARAM has a string macro as its name and only points to its value, which must exist until the
// call.
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

// Returns an HMAC context with its key set, or NULL on failure. `digest` is the name of the digest, such as "SHA256".
// EVP_MAC_init without a key starts the next message.
static inline EVP_MAC_CTX *reflector_hmac_new(const char *digest, const unsigned char *key, size_t key_length)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
    OSSL_PARAM parameters[2];

    EVP_MAC_free(mac); // The context holds its own reference.
    parameters[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)digest, 0);
    parameters[1] = OSSL_PARAM_construct_end();
    if (context != NULL && EVP_MAC_init(context, key, key_length, parameters) != 1) {
        EVP_MAC_CTX_free(context);
        context = NULL;
    }
    return context;
}
