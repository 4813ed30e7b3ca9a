@smoke @api-v2-access @blocker
Feature: API v2 access
  API v2 refuses the credentials that API v1 refuses.

  SPECIFICATION: An attempt is refused with a status of its kind of refusal. A list is refused as not visible.
    | refusal        | status                       |
    | not authorized | 401, 403                     |
    | not visible    | 401, 403, 404                |
    | not available  | 401, 403, 404, 405, 410, 501 |

  Background:
    Given the service is ready

  Scenario Outline: A caller with <credential> cannot list streams through API v2
    When a caller with <credential> sends a list request to API v2
    Then every attempt is refused
    And the answers contain no stream

    Examples: Credentials that are not valid
      | credential                     |
      | no credential                  |
      | any text                       |
      | a malformed token              |
      | an expired token               |
      | a token signed by another user |
      | an unsigned token              |

    @signing-secret
    Examples: Credentials that are valid elsewhere
      | credential                            |
      | a token for another audience          |
      | a token of another issuer             |
      | a token signed with another algorithm |

  @writes
  Scenario Outline: A caller with <credential> cannot read or change streams through API v2
    Given the service works on a test network
    And the synthetic user is signed in
    And the user has a draft stream
    When a caller with <credential> attempts these requests to API v2
      | attempt                  | refusal        |
      | read the user's stream   | not visible    |
      | create a stream          | not authorized |
      | change the user's stream | not available  |
      | change streams in bulk   | not available  |
      | delete the user's stream | not available  |
    Then every attempt is refused
    And the user's stream is unchanged

    Examples: Credentials that are not valid
      | credential                     |
      | no credential                  |
      | any text                       |
      | a malformed token              |
      | an expired token               |
      | a token signed by another user |
      | an unsigned token              |
