# The program out of a release: it is linked statically and needs nothing.
#   stream-api = pkgs.callPackage ./package.nix { src = ./stream-api-1.0-linux-amd64.tar.gz; };
{ stdenv, installShellFiles, src }:
stdenv.mkDerivation {
  name = "stream-api";
  inherit src;
  nativeBuildInputs = [ installShellFiles ];
  dontConfigure = true;
  dontBuild = true;
  installPhase = ''
    install -D stream-api $out/bin/stream-api
    installManPage man/*.gz
    installShellCompletion --cmd stream-api --bash completions/stream-api.bash --zsh completions/stream-api.zsh --fish completions/stream-api.fish
    mkdir -p $out/share/doc
    cp -R doc $out/share/doc/stream-api
  '';
}
