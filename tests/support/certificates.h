/* Certificates for tests of TLS, made by the openssl program. */
#ifndef TESTS_SUPPORT_CERTIFICATES_H
#define TESTS_SUPPORT_CERTIFICATES_H

#include "support/rig.h"

#define CERTIFICATES_NAME "dns.test" /* whose the good ones are */

/* Why they cannot be had here, or NULL. */
const char *certificates_missing(void);

/* The folder that certificates_setup() has made, with ca.pem, a CA's, and, each with its NAME.key:
 *
 *	good.pem	for CERTIFICATES_NAME, by that CA
 *	wrong.pem	for another name
 *	subject.pem	for CERTIFICATES_NAME as it was done long ago, in the subject alone
 *	expired.pem	for no longer than it took to make it
 *	stranger.pem	for CERTIFICATES_NAME, by another CA, stranger-ca.pem
 *	self.pem	for CERTIFICATES_NAME, by itself
 *	client.pem	for CERTIFICATES_NAME, good for clients only
 */
extern char certificates[RIG_FOLDER_MAX];

/* For cmocka: of a group, or of a test. */
int certificates_setup(void **state);
int certificates_teardown(void **state);

#endif
