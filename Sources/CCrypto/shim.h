// The parts of libcrypto (OpenSSL 3) that PacketSealing and TransactionSigning use, and calls that Swift cannot make
// itself because they take arrays of OSSL_PARAM. An OSSL_PARAM has a string macro as its name and only points to its
// value, which must exist until the call.
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

// HKDF-SHA-256 (RFC 5869), extract and expand. Returns 1 on success.
static inline int reflector_hkdf_sha256(
    const unsigned char *ikm, size_t ikm_length, const unsigned char *salt, size_t salt_length,
    const unsigned char *info, size_t info_length, unsigned char *out, size_t out_length)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    OSSL_PARAM parameters[5];
    OSSL_PARAM *next = parameters;
    int ok;

    *next++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, "SHA256", 0);
    *next++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)ikm, ikm_length);
    *next++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info, info_length);
    // An empty salt is left out: HKDF then uses a salt of zeros, with the same result (RFC 5869 §2.2).
    if (salt_length > 0)
        *next++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt, salt_length);
    *next = OSSL_PARAM_construct_end();
    ok = context != NULL && EVP_KDF_derive(context, out, out_length, parameters) == 1;
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return ok;
}

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
