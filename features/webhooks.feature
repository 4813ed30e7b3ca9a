@smoke @webhooks @blocker
Feature: The webhook intake takes signed reports only
  Other services report events to StreamPay; a report that does not prove who sent it is refused.

  Background:
    Given the service is ready

  @writes
  Scenario Outline: The webhook intake refuses a report with <signature>
    Given the service works on a test network
    When an event is reported with <signature>
    Then every attempt is refused

    Examples: Signatures that are not valid
      | signature                            |
      | no signature                         |
      | a signature made with another secret |
      | a signature and no time              |
