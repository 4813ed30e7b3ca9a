@smoke @streams @critical
Feature: Authenticated user lists streams
  People see their own streams, and nobody else does.

  Background:
    Given the service is ready

  Scenario: A signed-in user sees their streams page by page
    Given the synthetic user is signed in
    And they have at least 2 streams
    When they list their streams over several pages
    Then every stream is shown exactly once
    And no private details are shown

  Scenario Outline: A caller with <credential> is refused
    When a caller with <credential> lists streams
    Then the caller is refused
    And no stream is shown to them

    Examples: Credentials that must not open anything
      | credential                       |
      | no credential                    |
      | junk for a token                 |
      | an expired token                 |
      | a token signed by somebody else  |
      | an unsigned token                |

    @signing-secret
    Examples: Credentials that are good, but not here
      | credential                         |
      | a token meant for another service  |
      | a token issued by another service  |
      | a token signed by another method   |

  @second-user
  Scenario: Another user sees none of them
    Given the synthetic user is signed in
    And they have at least 1 stream
    When a second synthetic user lists their own streams
    Then none of the first user's streams is shown
    When they open streams of the first user by their names
    Then every attempt is refused
    And they are shown no stream
