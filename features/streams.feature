@smoke @streams @critical
Feature: Authenticated user lists streams
  Users see their own streams, and nobody else sees them.

  SPECIFICATION: An attempt is refused with a status of its kind of refusal.
    | refusal                        | status                            |
    | not authorized                 | 401, 403                          |
    | not visible                    | 401, 403, 404                     |
    | not available with this tenant | 400, 401, 403, 404, 405, 410, 501 |

  Background:
    Given the service is ready

  Scenario: A user lists all their streams page by page
    Given the synthetic user is signed in
    And the user has at least 2 streams
    When the user lists their streams over several pages
    Then every stream is listed exactly once
    And no personal data is listed

  Scenario: A page of streams contains no personal data
    Given the synthetic user is signed in
    And the user has at least 1 stream
    When the user reads one page of their streams
    Then no personal data is listed

  Scenario Outline: A caller with <credential> cannot list streams
    When a caller with <credential> lists streams
    Then the request is refused as not authorized
    And the answer contains no stream

    Examples: Credentials that are not valid
      | credential                     |
      | no credential                  |
      | a malformed token              |
      | an expired token               |
      | a token signed by another user |
      | an unsigned token              |

    @signing-secret
    Examples: Tokens with the right signing secret that are not valid here
      | credential                            |
      | a token for another audience          |
      | a token of another issuer             |
      | a token signed with another algorithm |

  @second-user
  Scenario: A second user cannot list or read the streams of the first user
    Given the synthetic user is signed in
    And the user has at least 1 stream
    When a second user lists their own streams
    Then the list contains no stream of the first user
    When the second user reads streams of the first user by id
      | attempt                                           | refusal                        |
      | read the stream                                   | not visible                    |
      | read the stream while claiming the owner's tenant | not available with this tenant |
    Then every attempt is refused
    And the answers contain no stream
