@smoke @throttling-evasion @critical
Feature: Rate limits cannot be evaded
  A rate limit counts requests by who sends them, whatever the requests claim.

  Background:
    Given the service is ready

  @second-user @read-limit
  Scenario Outline: A user cannot evade the read limit by claiming <claim> in each request
    Given the synthetic user is signed in
    When a second user exceeds the read limit and claims <claim> in each request
    Then the second user is throttled

    Examples: Claims that anybody can make
      | claim                 |
      | a new API key         |
      | a new network address |

  @second-user @read-limit
  Scenario: Forged tokens do not use up the read limit of the user they name
    Given the synthetic user is signed in
    When a caller reads with forged tokens of a second user who has used up the read limit
    Then the second user is throttled
    And the forged tokens do not count against the second user

  @sign-in-limit
  Scenario: A caller cannot evade the sign-in limit by claiming a new network address in each request
    Given the synthetic user is signed in
    When a caller guesses signatures and claims a new network address in each request
    Then the caller is throttled
