@smoke @readiness @blocker
Feature: Service is ready
  Nobody is sent to a release before it says, truthfully and for itself, that it can serve them.

  Scenario: The release that went live is ready to serve
    When the service is asked whether it is ready
    Then it answers for itself within the time this environment allows
    And every dependency it names is ok
    And it names the network this environment is for
    And its clock agrees with ours
    And the expected release answers
    And every replica that answers is the expected release
