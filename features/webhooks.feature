@smoke @webhooks @blocker
Feature: The webhook intake takes signed reports only
  Other services report events to StreamPay; a report that does not prove who sent it is refused.

  Background:
    Given the service is ready

  @writes
  Scenario Outline: The webhook intake refuses a report with <proof>
    Given the service works on a test network
    When an event is reported with <proof>
    Then every attempt is refused

    Examples: Proofs that are not valid
      | proof                                |
      | no signature                         |
      | a signature made with another secret |
      | a signature and no time              |
