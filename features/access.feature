@smoke @access @blocker
Feature: Access is limited to those who are authorized
  Nobody uses streams, keys, sign-in or administration without authorization.

  SPECIFICATION: An attempt is refused with a status of its kind of refusal.
    | refusal                        | status                            |
    | not authorized                 | 401, 403                          |
    | not visible                    | 401, 403, 404                     |
    | not available                  | 401, 403, 404, 405, 410, 501      |
    | not available in bulk          | 401, 403, 404, 405, 410, 422, 501 |
    | not available with this tenant | 400, 401, 403, 404, 405, 410, 501 |
    | not signed in                  | 400 to 499 except 408, 425, 429   |

  Background:
    Given the service is ready

  Scenario: The published signing keys contain no secret
    When the published signing keys are read
    Then the published signing keys contain no secret

  Scenario Outline: The administration pages are refused to <caller>
    Given the synthetic user is signed in
    When <caller> opens the administration pages
    Then every attempt is refused
    And the answers name no administrator

    Examples: Callers who are not administrators
      | caller                                             |
      | an anonymous caller                                |
      | an anonymous caller who claims to be administrator |
      | the synthetic user                                 |

  Scenario Outline: A sign-in with <response> is refused
    Given the synthetic user is signed in
    When an unauthorized actor signs in as the user with <response>
    Then the sign-in is refused and no token is issued

    Examples: Responses that do not prove who signs in
      | response                          |
      | another user's signature          |
      | a challenge that was never issued |

    @wallet
    Examples: Responses that were valid once
      | response                          |
      | a challenge that was already used |

  @writes
  Scenario Outline: A caller with <credential> cannot create, settle or stop streams
    Given the service works on a test network
    And the synthetic user is signed in
    And the user has a draft stream
    When a caller with <credential> attempts these writes
      | attempt                  | refusal        |
      | create a stream          | not authorized |
      | settle the user's stream | not visible    |
      | stop the user's stream   | not visible    |
    Then every attempt is refused
    And the user's stream is unchanged

    Examples: Credentials that are not valid
      | credential        |
      | no credential     |
      | a malformed token |
      | an expired token  |

  @writes @second-user
  Scenario: A second user cannot change the stream of the first user
    Given the service works on a test network
    And the synthetic user is signed in
    And the user has a draft stream
    When a second user attempts these writes on the user's stream
      | attempt                | refusal               |
      | start the stream       | not visible           |
      | change the stream      | not available         |
      | change streams in bulk | not available in bulk |
      | settle the stream      | not visible           |
      | stop the stream        | not visible           |
      | delete the stream      | not available         |
    Then every attempt is refused
    And the user's stream is unchanged

  @writes
  Scenario: A user cannot mark their own stream as settled
    Given the service works on a test network
    And the synthetic user is signed in
    And the user has a draft stream
    When the user claims a settlement in these writes
      | write                  |
      | create a stream        |
      | change the stream      |
      | change streams in bulk |
    Then the user's stream is unchanged
    And no created stream is settled

  Scenario: An anonymous caller cannot read a stream by its id
    Given the synthetic user is signed in
    And the user has at least 1 stream
    When an anonymous caller reads a stream of the user by id
      | attempt                                           | refusal                        |
      | read the stream                                   | not visible                    |
      | read the stream while claiming the owner's tenant | not available with this tenant |
    Then every attempt is refused
    And the answers contain no stream

  Scenario: Private answers are not stored by shared caches
    Given the synthetic user is signed in
    And the user has at least 1 stream
    When the user reads their list of streams and one stream
    Then the answers do not let shared caches store them

  @writes
  Scenario: Error answers contain no secrets and no stack traces
    Given the synthetic user is signed in
    When invalid requests are sent with and without a valid credential
    Then no answer contains a secret
    And no answer contains a stack trace or a file path
