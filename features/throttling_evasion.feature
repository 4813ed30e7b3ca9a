@smoke @throttling-evasion @critical
Feature: No caller evades a rate limit, or uses up somebody else's
  A rate limit counts who a caller is, and not what they claim.

  Background:
    Given the service is ready

  @second-user @read-limit
  Scenario Outline: The read limit holds for a user who claims <claim> each time
    Given the synthetic user is signed in
    When a second user exceeds the read limit and claims <claim> each time
    Then the second user is throttled all the same

    Examples: Claims that anybody can make
      | claim                 |
      | a new API key         |
      | a new network address |

  @second-user @read-limit
  Scenario: A forged token does not use up the read limit of the user it names
    Given the synthetic user is signed in
    When forged tokens name a second user who has used up their read limit
    Then the second user is throttled all the same
    And the forged tokens do not count against the second user

  @sign-in-limit
  Scenario: The sign-in limit holds for a caller who claims a new network address each time
    When a caller guesses signatures and claims a new network address each time
    Then the caller is throttled
