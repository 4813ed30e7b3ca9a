@smoke @api-v2-access @blocker
Feature: API v2 refuses whom API v1 refuses
  An API has two versions, and a credential that is bad in one of them is bad in the other.

  Background:
    Given the service is ready

  Scenario Outline: API v2 lists no streams for a caller with <credential>
    When a caller with <credential> lists streams in API v2
    Then every attempt is refused
    And they are shown no stream

    Examples: Credentials that are none
      | credential                      |
      | no credential                   |
      | any text                        |
      | junk for a token                |
      | an expired token                |
      | a token signed by somebody else |
      | an unsigned token               |

    @signing-secret
    Examples: Credentials that are good, but not here
      | credential                        |
      | a token meant for another service |
      | a token issued by another service |
      | a token signed by another method  |

  @writes
  Scenario Outline: API v2 creates and changes no stream for a caller with <credential>
    Given it works on a test network
    And the synthetic user is signed in
    And they have a stream that was never started
    When a caller with <credential> opens, creates, changes and deletes streams in API v2
    Then every attempt is refused
    And their stream is as it was

    Examples: Credentials that are none
      | credential                      |
      | no credential                   |
      | any text                        |
      | junk for a token                |
      | an expired token                |
      | a token signed by somebody else |
      | an unsigned token               |
