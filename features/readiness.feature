@smoke @readiness @blocker
Feature: Service is ready
  Nobody is sent to a release before it says, truthfully and for itself, that it can serve them.

  Scenario: The release that went live is ready to serve
    When the service is asked whether it is ready
    Then it answers for itself within the time this environment allows
    And every dependency it names is ok
    And it names the network this environment is for
    And its clock agrees with ours
    And every replica that answers is the same release

  @expected-release
  Scenario: The release that was deployed is the one that answers
    When the service is asked whether it is ready
    Then the expected release answers
    And every replica that answers is the expected release
