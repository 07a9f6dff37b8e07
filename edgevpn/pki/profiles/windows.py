"""A PowerShell script for Windows 10 and 11: it trusts our CA, makes the connection and raises its algorithms.

Untouched, Windows offers MODP-1024 alone. The script is UTF-8 with a byte order mark and CRLF, since Windows PowerShell
5.1 takes a file without the mark for the local code page. It asks for an administrator's rights by itself and makes a
connection for all users: made for one user, it would belong to the administrator who typed the password.

A certificate comes as a modern PKCS #12: every Windows since 10 1709 reads it. It goes to the machine; for EAP-TLS
to the user who runs the script, before an administrator's password is asked for: Windows looks for it there.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from ipaddress import IPv6Network

from cryptography import x509

from edgevpn.pki.certificate import der_of
from edgevpn.pki.container import Container, pkcs12_file
from edgevpn.pki.errors import Reason, WishRefused
from edgevpn.pki.identity import is_address
from edgevpn.pki.profiles.profile import (
    Artifact,
    CertificateLogin,
    Media,
    PasswordLogin,
    Profile,
    PskLogin,
    unsupported,
)

ALGORITHMS = {
    "AuthenticationTransformConstants": "GCMAES256",
    "CipherTransformConstants": "GCMAES256",
    "DHGroup": "ECP256",
    "EncryptionMethod": "GCMAES256",
    "IntegrityCheckMethod": "SHA256",
    "PfsGroup": "ECP256",
}
"""All six have to be given. PfsGroup too: without it a child rekey that carries a key exchange fails."""

EAP = "http://www.microsoft.com/provisioning/"
"""Namespaces of what Windows is told of EAP: EapHostConfig, and the schema eaptlsconnectionpropertiesv1."""

QUOTES = "'\u2018\u2019\u201a\u201b"
"""All that PowerShell takes for the end of a single-quoted string (about_Quoting_Rules); doubled, they stand for
themselves."""


def script(profile: Profile) -> Artifact:
    """The script: run it to set up, run it with -Undo to take everything back."""
    parts = (
        _head(profile),
        _stores(profile),
        _of_the_user(profile),
        _elevation(),
        _undo(profile),
        _setup(profile),
        _main(),
    )
    text = "\n\n".join(filter(None, map("\n".join, parts))) + "\n"
    octets = b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()
    secret = isinstance(profile.login, CertificateLogin)
    return Artifact(profile.file_name("ps1"), Media.TEXT, octets, secret=secret)


def quoted(value: str) -> str:
    """A value as a PowerShell string in which nothing is expanded. Raises WishRefused for what is no one line."""
    if not value.isprintable():
        raise WishRefused(Reason.NOT_ALLOWED, "a value of the script", detail="allowed: printable characters")
    return "'" + "".join(character * 2 if character in QUOTES else character for character in value) + "'"


def connection_name(profile: Profile) -> str:
    """What the connection is called: Windows takes no name with what file names may not have either."""
    return re.sub(r'[\\/:*?"<>|]', "-", profile.connection).lstrip(".") or "VPN"


def routes(profile: Profile) -> Iterator[object]:
    """The networks. Windows refuses ::/0, and takes its two halves."""
    for network in profile.networks:
        if isinstance(network, IPv6Network) and network.prefixlen == 0:
            yield from network.subnets()
        else:
            yield network


def within_eap(profile: Profile) -> bool:
    """Whether the device shows its certificate by EAP-TLS."""
    return isinstance(profile.login, CertificateLogin) and profile.login.within_eap


def _within_ike(profile: Profile) -> bool:
    return isinstance(profile.login, CertificateLogin) and not profile.login.within_eap


def _head(profile: Profile) -> Iterator[str]:
    gateway = profile.gateway
    yield "#Requires -Version 5.1"
    yield "# Sets up the VPN connection, or with -Undo removes it. In a PowerShell window:"
    yield f"#   powershell -ExecutionPolicy Bypass -File .\\{profile.file_name('ps1')}"
    yield "[CmdletBinding()]"
    yield "param([switch] $Undo, [switch] $Elevated)"
    yield "Set-StrictMode -Version 2.0"
    yield "$ErrorActionPreference = 'Stop'"
    yield ""
    yield f"$Name = {quoted(connection_name(profile))}"
    yield f"$Server = {quoted(gateway.address)}"
    yield f"$Routes = {_array(str(each) for each in routes(profile))}"
    yield f"$Domains = {_array(f'.{domain}' for domain in profile.domains)}"
    yield f"$Resolvers = {_array(map(str, profile.dns))}"
    yield f"$Tag = {quoted('edgevpn ' + profile.uuid('vpn'))}"
    if gateway.ca is not None:
        yield f"$CaThumbprint = {quoted(_thumbprint(gateway.ca))}"
        yield f"$CaCertificate = {quoted(base64.b64encode(der_of(gateway.ca)).decode())}"
    match profile.login:
        case PasswordLogin(user=user):
            yield f"$UserName = {quoted(user)}"
        case CertificateLogin(bundle=bundle, password=password):
            pfx = pkcs12_file(bundle, profile.device, password, Container.MODERN)
            yield f"$IdentityThumbprint = {quoted(_thumbprint(bundle.certificate))}"
            yield f"$Identity = {quoted(base64.b64encode(pfx).decode())}"
        case PskLogin():
            raise unsupported("a pre-shared key on Windows", "give this device a password or a certificate")
    if within_eap(profile):
        yield f"$EapConfiguration = {quoted(_eap_tls(profile))}"


def _eap_tls(profile: Profile) -> str:
    """The certificate is chosen without a question, and so is the gateway's judged."""
    gateway = profile.gateway
    names = "" if is_address(gateway.identity) else f"<ServerNames>{gateway.identity}</ServerNames>"
    root = "" if gateway.ca is None else f"<TrustedRootCA>{_thumbprint(gateway.ca)}</TrustedRootCA>"
    kinds = f'<Type xmlns="{EAP}EapCommon">13</Type><AuthorId xmlns="{EAP}EapCommon">0</AuthorId>'
    return (
        f'<EapHostConfig xmlns="{EAP}EapHostConfig"><EapMethod>{kinds}</EapMethod>'
        f'<Config><Eap xmlns="{EAP}BaseEapConnectionPropertiesV1"><Type>13</Type>'
        f'<EapType xmlns="{EAP}EapTlsConnectionPropertiesV1">'
        "<CredentialsSource><CertificateStore><SimpleCertSelection>true</SimpleCertSelection></CertificateStore>"
        "</CredentialsSource><ServerValidation>"
        f"<DisableUserPromptForServerValidation>true</DisableUserPromptForServerValidation>{names}{root}"
        "</ServerValidation><DifferentUsername>false</DifferentUsername></EapType></Eap></Config></EapHostConfig>"
    )


def _thumbprint(certificate: x509.Certificate) -> str:
    return hashlib.sha1(der_of(certificate), usedforsecurity=False).hexdigest().upper()


def _array(values: Iterator[str] | map[str]) -> str:
    return "@(" + ", ".join(map(quoted, values)) + ")"


def _stores(profile: Profile) -> Iterator[str]:
    yield """function Open-Store([string] $StoreName, [string] $Whose = 'LocalMachine') {
    $Store = New-Object System.Security.Cryptography.X509Certificates.X509Store $StoreName, $Whose
    $Store.Open('ReadWrite')
    return $Store
}

function Remove-FromStore([string] $StoreName, [string] $Thumbprint, [string] $Whose = 'LocalMachine') {
    $Store = Open-Store $StoreName $Whose
    foreach ($Found in @($Store.Certificates | Where-Object { $_.Thumbprint -eq $Thumbprint })) {
        $Store.Remove($Found)
    }
    $Store.Close()
}"""
    if isinstance(profile.login, CertificateLogin):
        yield """
function Import-Identity([string] $Whose) {
    $File = Join-Path ([IO.Path]::GetTempPath()) ('{0}.pfx' -f [Guid]::NewGuid())
    try {
        $Secret = Read-Host -Prompt 'Password of the certificate' -AsSecureString
        [IO.File]::WriteAllBytes($File, [Convert]::FromBase64String($Identity))
        $Store = 'Cert:\\{0}\\My' -f $Whose
        Import-PfxCertificate -FilePath $File -CertStoreLocation $Store -Password $Secret | Out-Null
    } finally {
        Remove-Item -LiteralPath $File -Force -ErrorAction SilentlyContinue
    }
}"""


def _of_the_user(profile: Profile) -> Iterator[str]:
    """What is not an administrator's part: the administrator may well be somebody else."""
    if within_eap(profile):
        yield """if (-not $Elevated) {
    try {
        if ($Undo) { Remove-FromStore 'My' $IdentityThumbprint 'CurrentUser' } else { Import-Identity 'CurrentUser' }
    } catch {
        Write-Host ('This did not work: {0}' -f $_.Exception.Message) -ForegroundColor Red
        Read-Host -Prompt 'Press Enter to close this window' | Out-Null
        return
    }
}"""


def _elevation() -> Iterator[str]:
    yield """$Principal = [Security.Principal.WindowsPrincipal][Security.Principal.WindowsIdentity]::GetCurrent()
if (-not $Principal.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
    $Arguments = @('-NoProfile', '-ExecutionPolicy', 'Bypass', '-File', ('"{0}"' -f $PSCommandPath), '-Elevated')
    if ($Undo) { $Arguments += '-Undo' }
    Start-Process -FilePath 'powershell.exe' -Verb RunAs -ArgumentList $Arguments -Wait
    return
}"""


def _undo(profile: Profile) -> Iterator[str]:
    """What a set-up begins with, and what -Undo does besides."""
    yield """function Remove-Connection {
    if (Get-VpnConnection -AllUserConnection | Where-Object { $_.Name -eq $Name }) {
        Remove-VpnConnection -Name $Name -AllUserConnection -Force
    }
    foreach ($Rule in @(Get-DnsClientNrptRule | Where-Object { $_.Comment -eq $Tag })) {
        Remove-DnsClientNrptRule -Name $Rule.Name -Force
    }
}

function Undo-Everything {
    Remove-Connection"""
    if profile.gateway.ca is not None:
        yield "    Remove-FromStore 'Root' $CaThumbprint"
    if _within_ike(profile):
        yield "    Remove-FromStore 'My' $IdentityThumbprint"
    yield "    Write-Host 'The VPN connection has been removed.'"
    yield "}"


def _setup(profile: Profile) -> Iterator[str]:
    yield "function Add-Everything {"
    yield "    Remove-Connection"
    if profile.gateway.ca is not None:
        yield """    $Ca = New-Object System.Security.Cryptography.X509Certificates.X509Certificate2 `
        -ArgumentList (, [Convert]::FromBase64String($CaCertificate))
    $Store = Open-Store 'Root'
    $Store.Add($Ca)
    $Store.Close()"""
    yield "    $Connection = @{"
    yield "        Name = $Name"
    yield "        ServerAddress = $Server"
    yield "        TunnelType = 'Ikev2'"
    yield "        EncryptionLevel = 'Required'"
    yield "        AllUserConnection = $true"
    yield "        Force = $true"
    if profile.networks:
        yield "        SplitTunneling = $true"
    if profile.domains:
        yield "        DnsSuffix = $Domains[0].TrimStart('.')"
    if _within_ike(profile):
        yield "        AuthenticationMethod = 'MachineCertificate'"
        if profile.gateway.ca is not None:
            yield "        MachineCertificateIssuerFilter = $Ca"
    else:
        yield "        AuthenticationMethod = 'Eap'"
        eap_tls, password = "EapConfigXmlStream = [xml] $EapConfiguration", "RememberCredential = $true"
        yield f"        {eap_tls if within_eap(profile) else password}"
    yield "    }"
    if _within_ike(profile):
        yield "    Import-Identity 'LocalMachine'"
    yield "    Add-VpnConnection @Connection"
    yield "    $Algorithms = @{"
    yield from (f"        {parameter} = {quoted(value)}" for parameter, value in ALGORITHMS.items())
    yield "    }"
    yield """    Set-VpnConnectionIPsecConfiguration -ConnectionName $Name @Algorithms -AllUserConnection -Force
    foreach ($Route in $Routes) {
        Add-VpnConnectionRoute -ConnectionName $Name -DestinationPrefix $Route -AllUserConnection
    }
    if ($Domains.Count -gt 0 -and $Resolvers.Count -gt 0) {
        Add-DnsClientNrptRule -Namespace $Domains -NameServers $Resolvers -Comment $Tag
    }
    Write-Host ('The VPN connection {0} is ready: Settings, Network & internet, VPN.' -f $Name)"""
    if isinstance(profile.login, PasswordLogin):
        yield "    Write-Host ('Your user name is {0}.' -f $UserName)"
    yield "}"


def _main() -> Iterator[str]:
    yield """try {
    if ($Undo) { Undo-Everything } else { Add-Everything }
} catch {
    Write-Host ('This did not work: {0}' -f $_.Exception.Message) -ForegroundColor Red
    if (-not $Elevated) { throw }
}
if ($Elevated) { Read-Host -Prompt 'Press Enter to close this window' | Out-Null }"""
